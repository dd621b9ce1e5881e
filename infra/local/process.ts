/**
 * Starting other programs, always by a list of arguments and never through a shell.
 *
 * A process is known by its id together with its start time and the machine's boot, because ids
 * are used again. Nothing here looks for a process by name: what was not recorded is not ours.
 */

import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

export type ProcessIdentity = {
  readonly pid: number;
  readonly startTime: string;
  readonly boot: string;
};

export type RunOptions = {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** A file that takes what the program prints; without it, output is kept in memory. */
  readonly logFile?: string;
};

export type RunOutcome = {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
};

/** A failure with a sentence for the person at the terminal; `exitCode` is 2 for what they must change. */
export class LocalError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = 1, options?: ErrorOptions) {
    super(message, options);
    this.name = "LocalError";
    this.exitCode = exitCode;
  }
}

/** Tells what a person can put right and gives the exit code; any other error is a bug and thrown on. */
export function tellFailure(command: string, error: unknown): number {
  const isWrongUse =
    error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
  if (!isWrongUse && !(error instanceof LocalError)) throw error;
  process.stderr.write(`${command}: ${error.message}\n`);
  return error instanceof LocalError ? error.exitCode : 2;
}

export function attempt(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunOutcome> {
  const log = options.logFile === undefined ? "pipe" : openSync(options.logFile, "a");
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ["pipe", log, log],
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
    });
    if (typeof log === "number") closeSync(log);
    const printed = { stdout: "", stderr: "" };
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      printed.stdout += text;
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      printed.stderr += text;
    });
    child.on("error", (cause) => {
      reject(new LocalError(`${program} could not be started: ${cause.message}`, 1, { cause }));
    });
    child.on("close", (code) => resolve({ code: code ?? 137, ...printed }));
    // A program that ends without reading its input is not an error of ours.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(options.input ?? "");
  });
}

/** Runs a program to its end and returns what it printed; anything but exit code 0 throws. */
export async function run(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const outcome = await attempt(program, args, options);
  if (outcome.code === 0) return outcome.stdout;
  const said = options.logFile === undefined ? lastLines(outcome.stderr) : `see ${options.logFile}`;
  throw new LocalError(`${program} ${args.join(" ")} ended with ${outcome.code}: ${said}`);
}

/** Starts a program that outlives this one; returns its process id. */
export function startDetached(
  program: string,
  args: readonly string[],
  logFile: string,
  env: Readonly<Record<string, string>> = {},
): number {
  const log = openSync(logFile, "a");
  const child = spawn(program, args, {
    detached: true,
    stdio: ["ignore", log, log],
    cwd: "/",
    env: { ...process.env, ...env },
  });
  closeSync(log);
  child.on("error", () => undefined);
  child.unref();
  if (child.pid === undefined) throw new LocalError(`${program} could not be started`);
  return child.pid;
}

export function identityOf(pid: number): ProcessIdentity | undefined {
  const startTime = startTimeOf(pid);
  return startTime === undefined ? undefined : { pid, startTime, boot: bootId() };
}

export function isAlive(identity: ProcessIdentity): boolean {
  return identity.boot === bootId() && startTimeOf(identity.pid) === identity.startTime;
}

/**
 * Lets a stopped process go on, and its parent: nsenter stops itself with what it has started, and while it
 * stands still nobody hears of the end of its child, so that the namespaces could not end.
 */
export function resume(pid: number): void {
  for (const one of [pid, Number(statOf(pid)?.[1])]) {
    try {
      process.kill(one, "SIGCONT");
    } catch {
      // Who has ended needs no waking up.
    }
  }
}

/** Kills a process if it is still the one that was recorded, and waits until it is gone. */
export async function killAndWait(identity: ProcessIdentity, timeoutMs: number): Promise<void> {
  if (!isAlive(identity)) return;
  process.kill(identity.pid, "SIGKILL");
  const gone = await eventually(() => Promise.resolve(!isAlive(identity)), timeoutMs, 20);
  if (!gone) throw new LocalError(`process ${identity.pid} did not end within ${timeoutMs} ms`);
}

/** Asks again and again until the answer is yes; false when the time is over. */
export async function eventually(
  check: () => Promise<boolean>,
  timeoutMs: number,
  everyMs: number,
): Promise<boolean> {
  const endsAt = performance.now() + timeoutMs;
  while (!(await check())) {
    if (performance.now() > endsAt) return false;
    await sleep(everyMs);
  }
  return true;
}

export function lastLines(text: string, count = 5): string {
  return text.trim().split("\n").slice(-count).join("\n");
}

function startTimeOf(pid: number): string | undefined {
  const fields = statOf(pid);
  const isDead = fields?.[0] === "Z" || fields?.[0] === "X";
  return isDead ? undefined : fields?.[19];
}

/** From the third field of proc_pid_stat(5) on: the state, the parent, ... */
function statOf(pid: number): readonly string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The program's name stands in brackets and may hold spaces, so fields count from its end.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}
