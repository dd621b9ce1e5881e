/**
 * The demo's middle: two annotations, and what must have become of the servers then. Every check asks
 * Kubernetes and the servers themselves.
 */
import { compareServers, whyNotArmed, whyNotFollowing } from "../../test/support/servers.ts";
import { SHOP_SCHEMA } from "../../test/support/shop.ts";
import { expectThat, waitFor } from "../../test/support/wait.ts";
import { type Workload, WRITTEN_SCHEMA } from "../../test/support/workload.ts";
import { type PodSeen, podsBehind, type World } from "../../test/support/world.ts";
import { addressOf, annotate, look, mysqlThrough, PLACE, type Stage } from "./stage.ts";

type Found = (sentence: string) => void;

export const ANNOTATIONS = ["ordinal.dev/engine=mysql", "ordinal.dev/credentials=mysql-root"] as const;

export async function waitHealthy(stage: Stage, timeoutMs: number): Promise<World> {
  return await waitFor("the phase Healthy", { timeoutMs, signal: stage.signal }, async () => {
    const world = await look(stage);
    const saw = `phase ${world.phase ?? "none"}; ${world.readiness}`;
    return world.phase === "Healthy" ? { ok: true, value: world } : { ok: false, saw };
  });
}

/** Who serves whom, by the Services' own selectors, once all members do. */
export async function serving(
  stage: Stage,
): Promise<{ readonly primary: PodSeen; readonly replicas: readonly PodSeen[] }> {
  const { cluster } = stage;
  const behind = (role: string) => podsBehind(cluster, { ...PLACE, name: `${PLACE.name}-${role}` });
  return await waitFor("both Services to lead to their Pods", { timeoutMs: 15_000 }, async () => {
    const [world, primaries, replicas] = await Promise.all([
      look(stage),
      behind("primary"),
      behind("replicas"),
    ]);
    const [primary] = primaries;
    if (primary !== undefined && primaries.length === 1 && replicas.length === world.replicas - 1) {
      return { ok: true, value: { primary, replicas } };
    }
    const saw = `${primaries.length} behind mysql-primary, ${replicas.length} behind mysql-replicas`;
    return { ok: false, saw: `${saw}, ${world.replicas} members` };
  });
}

/** Null when all is as it should be. Asked of the servers: what is annotated may be wrong, what they do is not. */
async function whyNotReplicated(stage: Stage): Promise<string | null> {
  const { primary, replicas } = await serving(stage);
  for (const replica of replicas) {
    const why = await whyNotFollowing(addressOf(stage, replica));
    if (why !== null) return `${replica.name} does not follow: ${why}`;
  }
  const why = await whyNotArmed(addressOf(stage, primary), replicas.length);
  return why === null ? null : `${primary.name} is not armed: ${why}`;
}

/** Until every replica follows and acknowledges. */
export async function waitReplicated(stage: Stage, timeoutMs: number): Promise<void> {
  await waitFor("all servers in place", { timeoutMs, signal: stage.signal }, async () => {
    const why = await whyNotReplicated(stage);
    return why === null ? { ok: true, value: null } : { ok: false, saw: why };
  });
}

export function expectNoFailedWrite(workload: Workload): number {
  const { acked, failed } = workload.progress();
  expectThat(failed === 0, `${failed} writes failed, ${acked} were acknowledged`);
  return acked;
}

export async function adopt(stage: Stage, before: World, workload: Workload, found: Found): Promise<void> {
  const startedAt = performance.now();
  await annotate(stage, ANNOTATIONS);
  const after = await waitHealthy(stage, 240_000);
  await waitReplicated(stage, 30_000);
  const tookMs = performance.now() - startedAt;
  const { primary } = await serving(stage);
  const earlier = before.pods.find(({ name: pod }) => pod === primary.name);
  expectThat(earlier?.uid === primary.uid, `${primary.name} is another Pod than before`);
  expectThat(earlier?.restarts === primary.restarts, `${primary.name} was restarted`);
  expectThat(before.templateHash === after.templateHash, "the pod template was changed");
  expectThat(before.specHash === after.specHash, "the spec of the StatefulSet was changed");
  const acked = expectNoFailedWrite(workload);
  found(
    `3 of 3 in place after ${(tookMs / 1000).toFixed(1)} s; ${acked} writes acknowledged, 0 failed; ` +
      `${primary.name} not restarted, pod template unchanged`,
  );
}

/** As an application would: by name, from inside the cluster. */
export async function useServices(stage: Stage, found: Found): Promise<void> {
  const [writing, reading] = [`${PLACE.name}-primary`, `${PLACE.name}-replicas`];
  const insert = "INSERT INTO shop.customers VALUES (999999, 'Zoë', 'zoe@example.org', 'NL', '2026-01-01');";
  // The node learns of a new Service a moment after we do, and an application would try again as well.
  await waitFor("a write by name", { timeoutMs: 15_000, signal: stage.signal }, async () => {
    const failure = await mysqlThrough(stage, writing, insert).then(
      () => null,
      (error: unknown) => String(error),
    );
    if (failure === null) return { ok: true, value: null };
    expectThat(/ERROR 2003|ERROR 2005/.test(failure), failure);
    return { ok: false, saw: failure };
  });
  const wait = "SELECT COUNT(*) FROM shop.customers WHERE id = 999999;";
  await waitFor("the new row on a replica", { timeoutMs: 10_000, signal: stage.signal }, async () => {
    const seen = (await mysqlThrough(stage, reading, wait)).trim();
    return seen === "1" ? { ok: true, value: null } : { ok: false, saw: `${seen} rows` };
  });
  const refusal = await mysqlThrough(stage, reading, "DELETE FROM shop.customers WHERE id = 999999;").then(
    () => null,
    (error: unknown) => String(error),
  );
  expectThat(refusal?.includes("read-only") === true, `a replica took a write: ${refusal ?? "no error"}`);
  const rows = await compareShop(stage);
  found(`a row written through ${writing} is read through ${reading}, which refuses writes; ${rows}`);
}

export async function compareShop(stage: Stage): Promise<string> {
  const { primary, replicas } = await serving(stage);
  const others = replicas.map((replica) => addressOf(stage, replica));
  const options = { except: [WRITTEN_SCHEMA], timeoutMs: 30_000 };
  const { rows, servers, differences } = await compareServers(addressOf(stage, primary), others, options);
  expectThat(differences.length === 0, `servers differ: ${differences[0]}`);
  return `${rows.toLocaleString("en")} rows of ${SHOP_SCHEMA} equal on ${servers} of ${others.length + 1} servers`;
}
