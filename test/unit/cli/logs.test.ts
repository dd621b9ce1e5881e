/** `logs`: which Job's log is shown, and what is said where there is none. */
import { expect, test } from "vitest";
import { run } from "../../../shared/cli/program.ts";
import type { Job } from "../../../shared/model/kube.ts";
import { fail, succeed } from "../../../shared/model/outcome.ts";
import type { Kube } from "../../../shared/ports/kube.ts";
import { healthy, NOW, NOWHERE, paper } from "./support.ts";

function job(name: string, endedAtMs: number | null, ownerUid = healthy.uid): Job {
  const { labels, annotations, resourceVersion } = healthy;
  const meta = { namespace: "shop", name, uid: name, labels, annotations, resourceVersion, deleting: false };
  return { ...meta, ownerUid, result: endedAtMs === null ? "active" : "succeeded", endedAtMs, failure: null };
}

async function ordinal(line: string, jobs: readonly Job[] | null, isShown = true) {
  const shown: string[] = [];
  const { printed, terminal } = paper();
  const kube: Pick<Kube, "read" | "list"> = {
    read: async (_, { name }) => (name === "mysql" ? succeed(healthy as never) : fail("gone", "not found")),
    list: async (kind) => {
      if (kind !== "Job") return succeed([]);
      return jobs === null
        ? fail("refused", "You may not list Jobs.", { code: 403 })
        : succeed(jobs as never);
    },
  };
  const exitCode = await run(line.split(" "), {
    ...terminal,
    clock: { now: () => Date.parse(NOW), sleep: async () => {} },
    connect: () => ({
      ...{ ...NOWHERE, kube: kube as Kube, namespace: "shop", close() {} },
      showLog: async ({ namespace, name }, follow) => {
        shown.push(`${namespace}/${name}${follow ? " and on" : ""}`);
        return isShown ? succeed(null) : fail("transient", "kubectl logs ended with 1.");
      },
    }),
  });
  return { exitCode, ...printed, shown };
}

const JOBS = [job("older", 1_000), job("newer", 2_000), job("another", null, "uid-other")];

test.each<[string, readonly Job[], string]>([
  ["logs mysql", JOBS, "shop/newer"],
  ["logs mysql --follow", [...JOBS, job("at-work", null)], "shop/at-work and on"],
  ["logs mysql older", JOBS, "shop/older"],
])("%s", async (line, jobs, name) => {
  const { exitCode, shown, out } = await ordinal(line, jobs);
  expect([exitCode, shown, out]).toEqual([0, [name], ""]);
});

test.each<[string, readonly Job[] | null, number, string]>([
  ["logs mysql", [], 2, "shop/mysql has no Job now; one that has ended is kept for an hour.\n"],
  [
    "logs mysql another",
    JOBS,
    2,
    "has no Job another; one that has ended is kept for an hour. There are: newer, older.\n",
  ],
  ["logs mysql", null, 2, "You may not list Jobs."],
  ["logs nobody", JOBS, 2, "There is no StatefulSet nobody"],
])("%s is refused", async (line, jobs, code, says) => {
  const { exitCode, shown, err } = await ordinal(line, jobs);
  expect([exitCode, shown]).toEqual([code, []]);
  expect(err).toContain(says);
});

test("a log that kubectl cannot show is a failure", async () => {
  const { exitCode, err } = await ordinal("logs mysql", JOBS, false);
  expect([exitCode, err]).toEqual([1, "kubectl logs ended with 1.\n"]);
});
