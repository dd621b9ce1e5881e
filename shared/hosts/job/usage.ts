/** What a Job has cost, for its last line in the log: of this process, and of the programs that it started and saw end. */
import { readFileSync } from "node:fs";

export interface Usage {
  /** Processor time of this process, seconds. */
  readonly cpuSeconds: number;
  /** Of programs that have ended, seconds. */
  readonly programsCpuSeconds: number;
  /** The most memory that this process ever had, bytes (proc_pid_status(5), `VmHWM`). */
  readonly peakBytes: number;
}

/** `USER_HZ`, by which Linux counts in /proc on every machine that Node runs on (proc_pid_stat(5)). */
const TICKS_PER_SECOND = 100;
/** Of `cutime` and `cstime` among what follows the name of the program, which may hold spaces and brackets itself. */
const CHILDREN = [13, 14];

export function childrenSeconds(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return CHILDREN.reduce((sum, at) => sum + Number(fields[at] ?? 0), 0) / TICKS_PER_SECOND;
}

export function usage(): Usage {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  return {
    cpuSeconds: (userCPUTime + systemCPUTime) / 1e6,
    programsCpuSeconds: childrenSeconds(readFileSync("/proc/self/stat", "utf8")),
    peakBytes: maxRSS * 1024,
  };
}
