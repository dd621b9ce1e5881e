// Runs checks side by side and shows the result: first what failed, in full, then one line per check.

import { performance } from "node:perf_hooks";
import type { Check } from "./checks.ts";

interface Finished {
  readonly name: string;
  readonly seconds: number;
  readonly failures: readonly string[];
}

export interface CheckCounts {
  readonly passed: number;
  readonly failed: number;
}

/** A check that crashes has failed; it must not take the other checks' results with it. */
async function finish({ name, failures }: Check): Promise<Finished> {
  const startedAt = performance.now();
  const found = await failures().catch((error: unknown) => [String(error)]);
  return { name, seconds: (performance.now() - startedAt) / 1000, failures: found };
}

function show(finished: readonly Finished[]): void {
  for (const { name, failures } of finished.filter((one) => one.failures.length > 0)) {
    console.log(`\n=== ${name} ===\n${failures.join("\n")}`);
  }
  console.log("");
  for (const { name, seconds, failures } of finished) {
    const verdict = failures.length === 0 ? "ok" : "FAILED";
    console.log(`  ${name.padEnd(12)} ${seconds.toFixed(1).padStart(5)} s  ${verdict}`);
  }
}

export async function runChecks(checks: readonly Check[]): Promise<CheckCounts> {
  const finished = await Promise.all(checks.map(finish));
  show(finished);
  const failed = finished.filter((one) => one.failures.length > 0).length;
  return { passed: finished.length - failed, failed };
}
