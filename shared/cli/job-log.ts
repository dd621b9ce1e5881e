/**
 * The log of one Job as somebody follows it who has a kubeconfig: by `kubectl logs`, with their own right to read the logs
 * of pods. Of one that is waited for only the last progress is kept. Whoever may not read it, or has no kubectl, sees none.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { ObjectRef } from "../model/kube.ts";
import { fail, type Outcome, succeed } from "../model/outcome.ts";
import { type Progress, parseProgress } from "./progress.ts";

export interface JobLogs {
  /** The last one that was seen so far; the first look begins to follow. */
  progressOf(job: ObjectRef): Progress | null;
  close(): void;
}

/** Its pod may not run yet, or be another one after a while. */
const AGAIN_MS = 3_000;

interface Following {
  readonly key: string;
  process: ChildProcess;
  endedAtMs: number | null;
  progress: Progress | null;
}

function logArguments({ namespace, name }: ObjectRef): readonly string[] {
  return ["logs", `job/${name}`, "--container", "job", "--namespace", namespace];
}

/** Whoever asks how a cluster is does not wait for long. */
const LOOK_MS = 3_000;
/** The last words of a log, among which its progress is, twice. */
const TAIL = ["--tail", "20"] as const;

/** As its log has it now; null where that does not tell, or cannot be read. */
export function lastProgress(where: readonly string[], job: ObjectRef): Promise<Progress | null> {
  const { promise, resolve } = Promise.withResolvers<Progress | null>();
  execFile("kubectl", [...logArguments(job), ...TAIL, ...where], { timeout: LOOK_MS }, (_, said) =>
    resolve(
      said.split("\n").reduce<Progress | null>((before, line) => parseProgress(line, before) ?? before, null),
    ),
  );
  return promise;
}

/** Hands the whole log on to our own output, as kubectl writes it. With `follow` until the Job ends. */
export function showLog(where: readonly string[], job: ObjectRef, follow: boolean): Promise<Outcome<null>> {
  const { promise, resolve } = Promise.withResolvers<Outcome<null>>();
  const what = [...logArguments(job), ...(follow ? ["--follow"] : []), ...where];
  const process = spawn("kubectl", what, { stdio: ["ignore", "inherit", "inherit"] });
  process.on("error", ({ message }) => resolve(fail("transient", `kubectl cannot be run: ${message}`)));
  process.on("close", (code) =>
    resolve(code === 0 ? succeed(null) : fail("transient", `kubectl logs ended with ${code}.`)),
  );
  return promise;
}

/** `where`: arguments of kubectl that name the cluster. */
export function followLogs(where: readonly string[], nowMs: () => number): JobLogs {
  let following: Following | null = null;

  function begin(job: ObjectRef, progress: Progress | null): Following {
    const what = [...logArguments(job), "--follow", ...TAIL];
    const process = spawn("kubectl", [...what, ...where], { stdio: ["ignore", "pipe", "ignore"] });
    const begun: Following = { key: `${job.namespace}/${job.name}`, process, endedAtMs: null, progress };
    const ended = (): void => {
      begun.endedAtMs = nowMs();
    };
    process.on("error", ended);
    process.on("close", ended);
    createInterface({ input: process.stdout }).on("line", (line) => {
      begun.progress = parseProgress(line, begun.progress) ?? begun.progress;
    });
    return begun;
  }

  return {
    progressOf(job) {
      if (following?.key !== `${job.namespace}/${job.name}`) {
        following?.process.kill();
        following = begin(job, null);
      } else if (following.endedAtMs !== null && nowMs() - following.endedAtMs >= AGAIN_MS) {
        following = begin(job, following.progress);
      }
      return following.progress;
    },
    close: () => void following?.process.kill(),
  };
}
