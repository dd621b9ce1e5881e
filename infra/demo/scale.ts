/**
 * The demo's growth: three members become five under load, the newest of them is made the primary, and then there are
 * to be three again, so that the primary itself is among those that leave.
 */
import { withServer } from "../../test/support/servers.ts";
import { expectThat, waitFor } from "../../test/support/wait.ts";
import { compareShop, serving, waitHealthy, waitReplicated } from "./adopt.ts";
import { expectNothingLost, handBack, pauseSince } from "./failover.ts";
import type { Writer } from "./prepare.ts";
import { addressOf, annotate, look, PLACE, type Stage } from "./stage.ts";
import { seconds } from "./tale.ts";

type Found = (sentence: string) => void;

/** As `kubectl ordinal scale` asks for it. */
async function wish(stage: Stage, replicas: number): Promise<void> {
  await annotate(stage, [`ordinal.dev/replicas=${replicas}`]);
  await waitFor(`${replicas} members`, { timeoutMs: 240_000, signal: stage.signal }, async () => {
    const { replicas: present, pods, readiness } = await look(stage);
    return present === replicas && pods.length === replicas
      ? { ok: true, value: null }
      : { ok: false, saw: `${pods.length} Pods, ${present} wanted; ${readiness}` };
  });
  await waitHealthy(stage, 240_000);
  await waitReplicated(stage, 60_000);
}

async function acksWaitedFor(stage: Stage): Promise<number> {
  const { primary } = await serving(stage);
  return await withServer(addressOf(stage, primary), async ({ ask }) => {
    const [row] = await ask("SELECT @@GLOBAL.rpl_semi_sync_source_wait_for_replica_count AS count");
    return Number(row?.["count"]);
  });
}

export async function grow(stage: Stage, writer: Writer, found: Found): Promise<void> {
  const sinceMs = Date.now();
  await wish(stage, 5);
  const tookMs = Date.now() - sinceMs;
  const waits = await acksWaitedFor(stage);
  expectThat(waits === 2, `a write on five members waits for ${waits} acknowledgements`);
  const rows = await compareShop(stage);
  found(
    `5 of 5 in place after ${seconds(tookMs)}, each write waits for ${waits} of 4 replicas; ` +
      `no write for ${pauseSince(writer.acks, sinceMs)}; ${rows}`,
  );
}

export async function shrinkPastPrimary(stage: Stage, writer: Writer, found: Found): Promise<void> {
  const leaving = `${PLACE.name}-4`;
  await handBack(stage, writer, leaving, () => undefined);
  const sinceMs = Date.now();
  await wish(stage, 3);
  const tookMs = Date.now() - sinceMs;
  const { primary } = await serving(stage);
  expectThat(primary.name !== leaving, `${leaving} is still the primary`);
  const waits = await acksWaitedFor(stage);
  expectThat(waits === 1, `a write on three members waits for ${waits} acknowledgements`);
  const verdict = await expectNothingLost(stage, writer);
  found(
    `${leaving} handed over to ${primary.name} and left with ${PLACE.name}-3 after ${seconds(tookMs)}; ` +
      `no write for ${pauseSince(writer.acks, sinceMs)}; ${verdict}`,
  );
}
