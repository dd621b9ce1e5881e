/**
 * The one place where faults are made. A process is found by its Pod's own cgroup and by its program's name,
 * so that nothing else on the machine can be hit; it works for clusters whose containers run on this
 * machine, since a container's first process cannot be killed from inside it.
 */
import { readdirSync, readFileSync } from "node:fs";
import type { Cluster } from "./cluster-access.ts";
import { Unmet } from "./wait.ts";

export type Fault =
  /** SIGKILL to the server: no goodbye, no flush. */
  | "kill"
  /** SIGTERM to the server: it goes down in good order, the Pod stays. */
  | "terminate"
  /** The Pod is deleted as `kubectl delete pod` does it. */
  | "delete-pod"
  /** The Pod and its volume: the new Pod starts empty. */
  | "lose-volume";

export interface FaultTarget {
  readonly namespace: string;
  readonly pod: string;
  /** Of the Pod. */
  readonly uid: string;
  /** Name of the volume claim. */
  readonly claim: string;
}

const SERVER_PROGRAM = "mysqld";

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Processes end while we look.
    return "";
  }
}

/** To the one server process of the Pod with this uid; throws `Unmet` while there is none. */
export function signalServer(podUid: string, signal: "SIGKILL" | "SIGTERM" | "SIGSTOP" | "SIGCONT"): void {
  process.kill(serverProcess(podUid), signal);
}

/** The database server of a Pod, by the id that this machine knows it by. Throws `Unmet` when there is none. */
export function serverProcess(podUid: string): number {
  const found = podProcesses(podUid).filter(
    (pid) => readOrEmpty(`/proc/${pid}/comm`).trim() === SERVER_PROGRAM,
  );
  const [pid] = found;
  if (pid === undefined || found.length > 1) {
    throw new Unmet(
      `${found.length} processes ${SERVER_PROGRAM} of the Pod ${podUid} run on this machine, not 1`,
    );
  }
  return pid;
}

/** SIGKILL to all that runs in a Pod, as when its machine fails; how many there were. */
export function killPod(podUid: string): number {
  const pids = podProcesses(podUid);
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It went with another one.
    }
  }
  return pids.length;
}

/** All that runs in a Pod, by the ids that this machine knows it by. */
export function podProcesses(podUid: string): readonly number[] {
  const marks = [`pod${podUid}`, `pod${podUid.replaceAll("-", "_")}`];
  return (
    readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) => marks.some((mark) => readOrEmpty(`/proc/${pid}/cgroup`).includes(mark)))
      // One that has ended and was not waited for is no process any more.
      .filter((pid) => !/\) Z /.test(readOrEmpty(`/proc/${pid}/stat`)))
      .map(Number)
  );
}

/** Returns once the fault was made, not when it has been noticed. */
export async function inject(cluster: Cluster, fault: Fault, target: FaultTarget): Promise<void> {
  const { namespace, pod, uid, claim } = target;
  const remove = (...what: readonly string[]) =>
    cluster.kubectl(["--namespace", namespace, "delete", ...what, "--wait=false"]);
  switch (fault) {
    case "kill":
      signalServer(uid, "SIGKILL");
      return;
    case "terminate":
      signalServer(uid, "SIGTERM");
      return;
    case "delete-pod":
      await remove("pod", pod);
      return;
    case "lose-volume":
      // The claim first: it goes when its Pod does, and the next Pod is made with a new one.
      await remove("pvc", claim);
      await remove("pod", pod);
      return;
  }
}
