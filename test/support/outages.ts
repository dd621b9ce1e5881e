/**
 * Faults that last until they are undone: a process that is stopped, a Pod that is cut from the network, a
 * machine that has gone, a volume that is full. Each is recorded before it is made, and all of them can be
 * undone at once, after a failed run and after Ctrl-C too. Like faults.ts it needs a cluster of this machine.
 */
import { existsSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { attempt, resume, run } from "../../infra/local/process.ts";
import { serverProcess } from "./faults.ts";

export interface Outage {
  /** Doing it again does nothing. */
  undo(): Promise<void>;
}

export interface Outages {
  /** SIGSTOP to the server: it answers nobody, and its connections stay open. */
  stopServer(podUid: string): Promise<Outage>;
  /** Every packet from and to the Pod is dropped in its own network namespace, but for its loopback. */
  cut(podUid: string): Promise<Outage>;
  /** SIGSTOP to a part of the cluster, by its recorded process id. */
  stopPart(pid: number): Promise<Outage>;
  /** Takes all the room that is left in this folder, which has to be a bounded file system of its own. */
  fill(folder: string): Promise<Outage>;
  undoAll(): Promise<void>;
}

const FILLING = "filling-of-a-test";
const FILL_BYTES_MAX = 2 * 2 ** 30;
const CHUNK = Buffer.alloc(2 ** 20);

const CHAINS = [
  ["INPUT", "-i"],
  ["OUTPUT", "-o"],
] as const;

/** Through any process of the Pod that shares its network namespace. */
function firewall(pid: number, change: "-I" | "-D"): readonly (readonly string[])[] {
  return CHAINS.map(([chain, by]) => {
    const rule = ["!", by, "lo", "-j", "DROP"];
    return [`--target=${pid}`, "--net", "iptables", "-w", change, chain, ...rule];
  });
}

function fillFolder(folder: string): void {
  const { blocks, bsize, bavail } = statfsSync(folder);
  // A disk that others use as well is never filled.
  if (blocks * bsize > FILL_BYTES_MAX) throw new Error(`${folder} is not a small file system of its own`);
  const file = join(folder, FILLING);
  let left = bavail * bsize;
  writeFileSync(file, "");
  while (left > 0) {
    try {
      writeFileSync(file, CHUNK.subarray(0, Math.min(left, CHUNK.length)), { flag: "a" });
    } catch {
      // Full is what it should become.
      return;
    }
    left -= CHUNK.length;
  }
}

export function createOutages(): Outages {
  const open = new Set<Outage>();

  function recorded(end: () => Promise<unknown>): Outage {
    const outage: Outage = {
      async undo() {
        if (open.delete(outage)) await end();
      },
    };
    open.add(outage);
    return outage;
  }

  async function stopped(pid: number): Promise<Outage> {
    const outage = recorded(async () => resume(pid));
    process.kill(pid, "SIGSTOP");
    return outage;
  }

  return {
    stopServer: (podUid) => stopped(serverProcess(podUid)),
    stopPart: stopped,
    async cut(podUid) {
      const pid = serverProcess(podUid);
      // Without the Pod there is no namespace any more, and no rule in it.
      const outage = recorded(async () => {
        for (const args of firewall(pid, "-D")) await attempt("nsenter", args);
      });
      for (const args of firewall(pid, "-I")) await run("nsenter", args);
      return outage;
    },
    async fill(folder) {
      const outage = recorded(async () => rmSync(join(folder, FILLING), { force: true }));
      if (!existsSync(folder)) throw new Error(`there is no folder ${folder}`);
      fillFolder(folder);
      return outage;
    },
    async undoAll() {
      for (const outage of [...open]) await outage.undo();
    },
  };
}
