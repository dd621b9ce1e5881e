/**
 * Random histories of a cluster whose log is archived: servers that are lists of transactions, what happens to them, and what
 * each of them really held at an instant, which is what the window of recovery is compared with.
 */
import fc from "fast-check";
import { archivedBy } from "../../shared/backup/archive/inventory.ts";
import { readArchive } from "../../shared/backup/archive/recorded.ts";
import { gtidSets } from "../../shared/engines/mysql/gtid.ts";
import { succeed } from "../../shared/model/outcome.ts";
import { archive, archiveWork, type Committed, putBackup, setOf, sourceOf } from "./archive.ts";
import { PLACE } from "./job-work.ts";
import { createMemoryStore, type MemoryStore } from "./memory-store.ts";

export const START_MS: number = Date.parse("2026-11-23T04:00:00Z");

const member = fc.nat(2);
export const event = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant("write" as const), count: fc.integer({ min: 1, max: 6 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("receive" as const), who: member, count: fc.nat(12) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("archive" as const),
      who: member,
      bytes: fc.constantFrom(60, 200, 5_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("both" as const), who: member, other: member }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("backup" as const), who: member }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("idle" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("forget" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("failover" as const), who: member }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("purge" as const), who: member }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("restore" as const), keep: fc.nat(100), replayed: fc.nat(3) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("undo" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("lose" as const), which: fc.nat(20) }) },
);
type Event = typeof event extends fc.Arbitrary<infer T> ? T : never;

interface Server {
  uuid: string;
  log: Committed[];
  purged: number;
}

/** Between two restores, or a restore and its undoing: what was abandoned with one is no part of the next. */
interface Era {
  readonly fromUs: number;
  readonly untilUs: number;
  readonly logs: readonly (readonly Committed[])[];
}

export interface History {
  readonly store: MemoryStore;
  servers: Server[];
  /** Every log that a server ever had, also those of servers that were made anew. */
  past: (readonly Committed[])[];
  /** What each primary had when another one took its place. */
  reigns: (readonly Committed[])[];
  readonly eras: Era[];
  eraFromUs: number;
  /** What the last restore has set aside. */
  aside: { readonly servers: readonly Server[]; readonly primary: number } | null;
  /** How much the clock of each is ahead. */
  readonly aheadUs: readonly number[];
  primary: number;
  nowUs: number;
  uuids: number;
  backups: number;
}

function newUuid(history: History): string {
  history.uuids += 1;
  return `${String(history.uuids).padStart(8, "0")}-0000-4000-8000-000000000000`;
}

export function begin(aheadUs: readonly number[]): History {
  const history: History = {
    ...{ store: createMemoryStore({ partBytesMin: 1 }), servers: [], past: [], reigns: [], aheadUs },
    ...{ eras: [], eraFromUs: 0, aside: null },
    ...{ primary: 0, nowUs: START_MS * 1_000, uuids: 0, backups: 0 },
  };
  for (let index = 0; index < 3; index += 1)
    history.servers.push({ uuid: newUuid(history), log: [], purged: 0 });
  return history;
}

const has = (log: readonly Committed[], { gtid }: Committed) => log.some((one) => one.gtid === gtid);
export const isPartOf = (part: readonly Committed[], whole: readonly Committed[]) =>
  part.every((one) => has(whole, one));

/** Only a server that has nothing of its own can follow; another one is made anew, as a copy with a new uuid. */
function receive(history: History, server: Server, count: number): void {
  const primary = history.servers[history.primary] as Server;
  if (!isPartOf(server.log, primary.log)) {
    history.past.push([...server.log]);
    Object.assign(server, { uuid: newUuid(history), log: [...primary.log], purged: primary.log.length });
  }
  server.log.push(...primary.log.filter((one) => !has(server.log, one)).slice(0, count));
}

function failover(history: History, who: number): void {
  const next = history.servers[who] as Server;
  // Elections choose whoever has the most of those that follow.
  for (const server of history.servers) {
    if (server !== history.servers[history.primary] && !isPartOf(server.log, next.log)) return;
  }
  history.reigns.push([...(history.servers[history.primary]?.log ?? [])]);
  history.primary = who;
}

/**
 * What is put back comes out of the bucket, and an archive that goes on is a second behind. Of what was abandoned before it
 * was archived nothing is known there, nor of when; nor of what only a later backup has.
 */
async function isAllHeld(history: History): Promise<boolean> {
  await happens(history, { kind: "archive", who: history.primary, bytes: 200 });
  const found = await readArchive(history.store, PLACE, gtidSets);
  if (!found.ok) throw new Error(found.failure.message);
  const { starts, segments } = found.value;
  const held = gtidSets.union(starts[0]?.position ?? "", archivedBy(segments, gtidSets));
  return starts.length > 0 && gtidSets.contains(held, setOf(history.servers[history.primary]?.log ?? []));
}

/** The servers are others from now on. */
async function turnTo(history: History, servers: Server[], primary: number): Promise<void> {
  if (!(await isAllHeld(history))) return;
  history.eras.push({ fromUs: history.eraFromUs, untilUs: history.nowUs, logs: wholeLogs(history) });
  history.nowUs += 30;
  Object.assign(history, { servers, primary, past: [], reigns: [], eraFromUs: history.nowUs });
  // Ordinal's own accounts and the row of the epoch are the first that is committed, and the archive goes on.
  await happens(history, { kind: "write", count: 1 });
  await happens(history, { kind: "archive", who: primary, bytes: 5_000 });
}

/** To an earlier state: new servers hold it, of which the last few transactions were replayed and are in their logs. */
async function restore(history: History, keep: number, replayed: number): Promise<void> {
  const { servers, primary } = history;
  const log = servers[primary]?.log ?? [];
  const kept = log.slice(0, Math.floor((log.length * keep) / 100));
  const purged = Math.max(0, kept.length - replayed);
  history.aside = { servers, primary };
  await turnTo(
    history,
    servers.map(() => ({ uuid: newUuid(history), log: [...kept], purged })),
    0,
  );
}

async function undo(history: History): Promise<void> {
  const { aside } = history;
  if (aside === null) return;
  history.aside = null;
  await turnTo(history, [...aside.servers], aside.primary);
}

export async function happens(history: History, what: Event): Promise<void> {
  const { store, servers } = history;
  const server = "who" in what ? (servers[what.who] as Server) : (servers[history.primary] as Server);
  const [primary, aheadUs] = [servers[history.primary] as Server, history.aheadUs[history.primary] ?? 0];
  const askTip = () =>
    Promise.resolve(
      succeed({
        serverUuid: primary.uuid,
        position: setOf(primary.log),
        atUs: history.nowUs + aheadUs,
      }),
    );
  const pass = (of: Server, segmentBytesMax: number) =>
    archive(archiveWork(store, { segmentBytesMax, askTip }), sourceOf(of));
  if (what.kind === "write") {
    for (let index = 0; index < what.count; index += 1) {
      history.nowUs += 10;
      const atUs = history.nowUs + aheadUs;
      const own = server.log.filter(({ gtid }) => gtid.startsWith(server.uuid)).length;
      server.log.push({ gtid: `${server.uuid}:${own + 1}`, atUs });
    }
  } else if (what.kind === "forget") {
    // Nobody has it in a log any more.
    await happens(history, { kind: "write", count: 2 });
    for (const one of servers) {
      if (one !== primary) receive(history, one, primary.log.length);
      one.purged = one.log.length;
    }
    await happens(history, { kind: "backup", who: history.primary });
  } else if (what.kind === "idle") history.nowUs += 50;
  else if (what.kind === "receive") receive(history, server, what.count);
  else if (what.kind === "archive") await pass(server, what.bytes);
  else if (what.kind === "both")
    await Promise.all([pass(server, 100), pass(servers[what.other] as Server, 60)]);
  else if (what.kind === "failover") failover(history, what.who);
  else if (what.kind === "restore") await restore(history, what.keep, what.replayed);
  else if (what.kind === "undo") await undo(history);
  else if (what.kind === "purge") server.purged = server.log.length;
  else if (what.kind === "lose") {
    const objects = [...store.objects.keys()].filter((key) => key.endsWith(".zst"));
    store.objects.delete(objects[what.which] ?? "");
  } else if (server.log.length > 0) {
    history.backups += 1;
    await putBackup(
      store,
      setOf(server.log),
      {},
      new Date(START_MS + history.backups * 60_000).toISOString(),
    );
  }
}

/** Of all that were primary, and of others unless they only lacked something that another one had. */
export function wholeLogs({ servers, past, reigns, primary }: History): readonly (readonly Committed[])[] {
  const logs = [...past, ...servers.map(({ log }) => log)];
  const whole = logs.filter(
    (log, index) =>
      !logs.some((other, at) => isPartOf(log, other) && (other.length > log.length || at < index)),
  );
  return [...whole, ...reigns, servers[primary]?.log ?? []];
}

/** By how much clocks may differ. */
export const SKEW_US = 70;

export function erasOf(history: History): readonly Era[] {
  const { eras, eraFromUs, nowUs } = history;
  return [...eras, { fromUs: eraFromUs, untilUs: nowUs + 1_000, logs: wholeLogs(history) }];
}

/** What may have been held then: of what was abandoned before, or was not there yet, nothing. */
export function logsAt(
  eras: readonly Era[],
  atUs: number,
  slackUs: number,
): readonly (readonly Committed[])[] {
  // While one was exchanged for the other, until the first commit on the other, either is right.
  const near = slackUs + 40;
  return eras
    .filter(({ fromUs, untilUs }) => fromUs - near <= atUs && atUs <= untilUs + near)
    .flatMap(({ logs }) => logs);
}
