/** docs/tutorial.md as it stands: every block is typed in its turn into one shell, and what it promises is looked for. */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { attempt } from "../../infra/local/process.ts";
import { noClusterReason, testCluster } from "../support/test-cluster.ts";

const ROOT = join(import.meta.dirname, "../..");
const none = testCluster() === null;
const nightly = process.env["ORDINAL_NIGHTLY"] !== undefined;
const page = readFileSync(join(ROOT, "docs/tutorial.md"), "utf8");
const blocks = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = ""]) => block);

/** All that stands on lines like this one, in the order of the page. */
function said(output: string, line: RegExp): readonly string[] {
  return [...output.matchAll(line)].map(([, found = ""]) => found);
}

describe.skipIf(none)(`the tutorial${none ? ` (skipped: ${noClusterReason})` : ""}`, () => {
  afterAll(async () => {
    rmSync(join(ROOT, "kustomization.yaml"), { force: true });
    await attempt("npm", ["run", "local", "--", "down", "--name", "tutorial"], { cwd: ROOT });
  });

  test("leads from nothing to a cluster that was failed over, backed up, restored and let go of", async ({
    skip,
  }) => {
    skip(!nightly, "it takes five minutes and a cluster of its own; npm run test:nightly runs it");
    expect(blocks.length).toBeGreaterThan(8);
    const script = ["set -euo pipefail", ...blocks].join("\n");
    const { code, stdout, stderr } = await attempt("bash", ["-c", script], { cwd: ROOT });
    expect([code, code === 0 ? "" : `${stdout.slice(-2_000)}\n${stderr.slice(-2_000)}`]).toEqual([0, ""]);
    const [answered] = said(stdout, /^(\d+) answered, the longest pause [\d.]+ s$/gm).map(Number);
    const counted = said(stdout, /^(?:COUNT\(\*\).*\n)(\d+)/gm).map(Number);
    expect(answered).toBeGreaterThan(10);
    // After the failover, after the restore, and after it was let go of.
    expect(counted).toHaveLength(3);
    expect(new Set(counted).size).toBe(1);
    expect(counted[0]).toBeGreaterThanOrEqual(answered ?? Infinity);
    expect(counted[0]).toBeLessThanOrEqual((answered ?? 0) + 1);
    for (const promise of [
      ...[
        /FailoverCompleted \(epoch 2\)/,
        /The physical backup of \S+ is complete/,
        /restored and found whole/,
      ],
      ...[/can be recovered to any instant/, /The cluster is in service with that data/],
      ...[/mysql-2 takes writes in epoch/],
    ])
      expect(stdout).toMatch(promise);
  }, 1_500_000);
});
