/**
 * The passes that a reaction asks for, within the time of one invocation. Nothing is kept for the next one: what there
 * was no time for is found by the next sweep, and a pass that ends half way is gone on with by whoever looks next.
 */
import { clusterKey } from "../../model/cluster.ts";
import type { StatefulSet } from "../../model/kube.ts";
import { fail, type Outcome, succeed } from "../../model/outcome.ts";
import type { PassRequest, PassResult } from "../../reconcile/index.ts";
import { listFleet, logPass } from "../fleet.ts";
import type { Reaction } from "../functions.ts";
import type { LambdaHost } from "./host.ts";
import type { Look } from "./looks.ts";

/** From then on no look is begun: a change of the primary that is begun has this long until its last step. */
const LAST_LOOK_MS = 15_000;
/** From then on no step is begun: each of them ends within this, and the answer still has to go out. */
const LAST_STEP_MS = 4_000;
/** As on a resident host: where many clusters wait for their turn, one that only waits leaves its place. */
const CROWDED_BUDGET_MS = 5_000;
const CONCURRENCY = 8;

/** What is asked of the API server first, before the rest of the program is there to use it. */
async function readFirst(
  { kube, settings }: LambdaHost,
  { sweep, backups, wakes }: Reaction,
): Promise<readonly StatefulSet[] | string> {
  if (sweep || backups) return await listFleet(kube, settings.ORDINAL_NAMESPACES);
  const [wake] = wakes;
  if (wake === undefined || wakes.length > 1) return [];
  const set = await kube.read("StatefulSet", wake.ref);
  // What went wrong with it, the pass will tell.
  return set.ok ? [set.value] : [];
}

function brokenOff({ ref }: Look, error: unknown): PassResult {
  const message = `the pass was broken off by an unexpected error: ${error instanceof Error ? error.stack : String(error)}`;
  return {
    ...{ ref, outcome: "failed", lookAgainMs: null, phase: null, memory: null },
    ...{ silent: new Set<number>(), message },
  };
}

/** `transient` when the fleet could not be listed; what became of each cluster is in the results. */
export async function runPasses(
  host: LambdaHost,
  reaction: Reaction,
  remainingMs: number,
): Promise<Outcome<readonly PassResult[]>> {
  const { clock, log, settings } = host;
  const killedAtMs = clock.now() + remainingMs;
  const reading = readFirst(host, reaction);
  // Loading takes the processor for longer than a handshake does, which would wait for it. There may be nothing to ask, or nobody.
  await Promise.race([host.asked, reading]);
  const { contextOf, passesOf, wanted } = await import("./brain.ts");
  const { pass, flush } = passesOf(host, host.env);
  const fleet = await reading;
  if (typeof fleet === "string") return fail("transient", fleet);
  const looks = wanted(host, reaction, fleet);
  const known = new Map(fleet.map((set) => [clusterKey(set), set]));
  const waiting = looks.map((look) => ({ ...look, entry: known.get(clusterKey(look.ref)) ?? null }));
  const untilMs = killedAtMs - LAST_LOOK_MS;
  const context = contextOf(host, {
    budgetMs: looks.length === 1 ? Math.max(0, untilMs - clock.now()) : CROWDED_BUDGET_MS,
    jobImage: settings.ORDINAL_JOB_IMAGE,
  });
  const endsAtMs = () => killedAtMs - LAST_STEP_MS;
  const results: PassResult[] = [];

  async function work(): Promise<void> {
    for (let look = waiting.shift(); look !== undefined; look = waiting.shift()) {
      const startedAtMs = clock.now();
      // Whoever was woken alone has its one look, however late it is.
      if (looks.length > 1 && startedAtMs >= untilMs) return;
      const request: PassRequest = {
        ...look,
        memory: null,
        endsAtMs,
      };
      // A bug in a pass of one cluster must not stop the passes of the others.
      const result = await pass(context, request).catch((error: unknown) => brokenOff(request, error));
      logPass(log, request, result, clock.now() - startedAtMs);
      results.push(result);
    }
  }

  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, waiting.length) }, work));
  await flush();
  const left = looks.length - results.length;
  if (left > 0) log.warn("clusters were left to the next sweep", { left });
  return succeed(results);
}
