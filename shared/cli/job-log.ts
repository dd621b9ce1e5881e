/**
 * The log of one Job as somebody follows it who has a kubeconfig: by `kubectl logs`, with their own right to read the logs
 * of pods. Of it only the last progress is kept. Whoever may not read it, or has no kubectl, sees none.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { ObjectRef } from "../model/kube.ts";
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

/** `where`: arguments of kubectl that name the cluster. */
export function followLogs(where: readonly string[], nowMs: () => number): JobLogs {
  let following: Following | null = null;

  function begin({ namespace, name }: ObjectRef, progress: Progress | null): Following {
    const what = [
      "logs",
      `job/${name}`,
      "--container",
      "job",
      "--namespace",
      namespace,
      "--follow",
      "--tail",
      "20",
    ];
    const process = spawn("kubectl", [...what, ...where], { stdio: ["ignore", "pipe", "ignore"] });
    const begun: Following = { key: `${namespace}/${name}`, process, endedAtMs: null, progress };
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
