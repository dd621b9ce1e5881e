// `npm test`: the checks, then every tier of tests that can run here, then one line of totals.
// `npm test -- unit sim` runs only the named ones; `--nightly` lets tests that have a longer form use it.
// The last line is the only place that decides: it counts checks and tests, and the exit code follows it.

import { performance } from "node:perf_hooks";
import { checks } from "../infra/dev/checks.ts";
import { runChecks } from "../infra/dev/run-checks.ts";
import { add, type Counts, nothing } from "./runner/counts.ts";
import { runTier } from "./runner/tier.ts";
import { type Tier, tiers } from "./runner/tiers.ts";
import { openTestCluster } from "./support/test-cluster.ts";

const parts = ["check", ...tiers.map((tier) => tier.name)];

function selected(names: readonly string[]): ReadonlySet<string> {
  const unknown = names.filter((name) => !parts.includes(name));
  if (unknown.length > 0)
    throw new Error(`no tier named ${unknown.join(", ")}; there are ${parts.join(", ")}`);
  return new Set(names.length === 0 ? parts : names);
}

async function timed(name: string, work: () => Promise<Counts>): Promise<Counts> {
  console.log(`\n##### ${name}`);
  const startedAt = performance.now();
  const counts = await work();
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  for (const note of counts.notes) console.log(`${name}: ${note}`);
  const { passed, failed, skipped } = counts;
  console.log(`##### ${name}: ${passed} passed, ${failed} failed, ${skipped} skipped in ${seconds} s`);
  return counts;
}

async function runAll(wanted: ReadonlySet<string>): Promise<Counts> {
  let total = nothing;
  if (wanted.has("check")) {
    total = add(total, await timed("check", async () => ({ ...nothing, ...(await runChecks(checks)) })));
  }
  const chosen = tiers.filter((one: Tier) => wanted.has(one.name));
  for (const tier of chosen.filter((one) => !one.serial)) {
    total = add(total, await timed(tier.name, () => runTier(tier)));
  }
  const onServers = chosen.filter((one) => one.serial);
  return onServers.length === 0 ? total : add(total, await runOnServers(onServers));
}

/** One cluster for all tiers that need one. A cluster that does not come up is a failure of its own. */
async function runOnServers(chosen: readonly Tier[]): Promise<Counts> {
  let total = nothing;
  const close = await openTestCluster().catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error);
    total = add(total, { ...nothing, failed: 1, notes: [`the test cluster did not come up: ${why}`] });
    return async () => {};
  });
  try {
    if (total.failed > 0) return total;
    for (const tier of chosen) total = add(total, await timed(tier.name, () => runTier(tier)));
    return total;
  } finally {
    await close();
  }
}

async function main(args: readonly string[]): Promise<void> {
  if (args.includes("--nightly")) process.env["ORDINAL_NIGHTLY"] = "1";
  const { passed, failed, skipped, notes } = await runAll(
    selected(args.filter((arg) => arg !== "--nightly")),
  );
  console.log(notes.length === 0 ? "" : `\n${notes.join("\n")}\n`);
  process.exitCode = failed === 0 ? 0 : 1;
  console.log(`${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}`);
}

await main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
});
