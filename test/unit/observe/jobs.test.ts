/** How a Job for backups ended, for people: by what its program said last, else by what Kubernetes saw of its end. */
import { expect, test } from "vitest";
import type { ContainerStatus, Job, Pod, StatefulSet } from "../../../shared/model/kube.ts";
import type { JobObservation } from "../../../shared/model/observed.ts";
import { fail, type Outcome, succeed } from "../../../shared/model/outcome.ts";
import { readJobs } from "../../../shared/observe/cluster.ts";
import type { Kube } from "../../../shared/ports/kube.ts";
import { memory } from "../../support/backups.ts";

const SET = { namespace: "shop", name: "mysql", uid: "set", matchLabels: {} } as StatefulSet;
const SLOT = "2026-11-24T02:00:00Z";
const LIMIT = "BackoffLimitExceeded: Job has reached the specified backoff limit";
const LOG = '{"at":"2026-11-24T02:00:07Z","level":"info","message":"progress","bytes":1}';

const container = (more: Partial<ContainerStatus>): ContainerStatus => ({
  ...{ name: "job", running: false, restartCount: 0, reason: null, exitCode: null, ended: null },
  ...more,
});

async function seen(end: Partial<Job>, pods: Outcome<readonly Partial<Pod>[]>): Promise<JobObservation> {
  const job = { namespace: "shop", name: "j", ownerUid: "set", endedAtMs: 0, ...end } as Job;
  const running = {
    slot: SLOT,
    attempt: 1,
    method: "physical",
    asked: "schedule",
    source: 2,
    begunAt: SLOT,
  } as const;
  const kube = {
    read: () => Promise.resolve(succeed(job)),
    list: () => Promise.resolve(pods),
  } as unknown as Kube;
  const { backup } = await readJobs(kube, SET, {
    backups: { kind: "valid", memory: memory({ running }) },
    restore: { kind: "none" },
  });
  return backup;
}

async function failureOf(failure: string, pods: Outcome<readonly Partial<Pod>[]>): Promise<string | null> {
  const backup = await seen({ result: "failed", failure }, pods);
  return backup.kind === "found" ? backup.job.failure : backup.kind;
}

const podOf = (...containers: readonly Partial<ContainerStatus>[]) =>
  succeed([{ containers: containers.map(container) }]);

test.each([
  ["its last words, without their dot", LIMIT, podOf({ exitCode: 1, said: "No room." }), "No room"],
  [
    "the kill that left it none",
    LIMIT,
    podOf({ exitCode: 137, reason: "OOMKilled" }),
    "its program was killed (OOMKilled)",
  ],
  [
    "the kill, and not the end of its log",
    LIMIT,
    podOf({ exitCode: 137, said: LOG }),
    "its program was killed (exit code 137)",
  ],
  ["that its pod is gone", LIMIT, succeed([]), "its pod was taken away before it had ended"],
  ["what Kubernetes itself decided", "DeadlineExceeded: too long", succeed([]), "DeadlineExceeded: too long"],
  ["what Kubernetes says, where pods cannot be read", LIMIT, fail("refused", "403"), LIMIT],
])("%s", async (_, failure, pods, told) => {
  expect(await failureOf(failure, pods)).toBe(told);
});

test("one that succeeded has its last words as well, where they can be read", async () => {
  const said = async (pods: Outcome<readonly Partial<Pod>[]>) => {
    const backup = await seen({ result: "succeeded", failure: null }, pods);
    return backup.kind === "found" ? backup.said : backup.kind;
  };
  expect(await said(podOf({ exitCode: 0, said: "It holds 3 bytes." }))).toBe("It holds 3 bytes");
  expect(await said(succeed([]))).toBeUndefined();
  expect(await said(fail("refused", "403"))).toBeUndefined();
});
