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

interface Aside {
  readonly servers: Server[];
  readonly primary: number;
}

/** By the clock of the server that was in service; both ends belong to it. Microseconds since 1970. */
interface Held {
  readonly state: string;
  readonly fromUs: number;
  readonly toUs: number;
}

export interface History {
  readonly store: MemoryStore;
  servers: Server[];
  /** Every log that a server ever had, also those of servers that were made anew. */
  past: (readonly Committed[])[];
  /** The logs of all servers before each restore, or its undoing. */
  readonly eras: (readonly (readonly Committed[])[])[];
  eraFromUs: number;
  /** What was held, up to the last commit of the primary. */
  readonly held: Held[];
  /** Since when the primary holds what it has, by its clock. */
  sinceUs: number;
  /** What the last restore has set aside. */
  aside: Aside | null;
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
    ...{ store: createMemoryStore({ partBytesMin: 1 }), servers: [], past: [], aheadUs },
    ...{ eras: [], eraFromUs: 0, held: [], sinceUs: 0, aside: null },
    ...{ primary: 0, nowUs: START_MS * 1_000, uuids: 0, backups: 0 },
  };
  for (let index = 0; index < 3; index += 1)
    history.servers.push({ uuid: newUuid(history), log: [], purged: 0 });
  return history;
}

const has = (log: readonly Committed[], { gtid }: Committed) => log.some((one) => one.gtid === gtid);
const isPartOf = (part: readonly Committed[], whole: readonly Committed[]) =>
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

const clockOf = ({ nowUs, aheadUs, primary }: History) => nowUs + (aheadUs[primary] ?? 0);

function heldUntil({ servers, primary, sinceUs }: History, toUs: number): Held {
  return { state: setOf(servers[primary]?.log ?? []), fromUs: sinceUs, toUs };
}

function failover(history: History, who: number): void {
  const [last, next] = [history.servers[history.primary] as Server, history.servers[who] as Server];
  // Elections choose whoever has the most of those that follow.
  for (const server of history.servers) {
    if (server === last ? !isPartOf(next.log, last.log) : !isPartOf(server.log, next.log)) return;
  }
  const lastUs = clockOf(history);
  history.held.push(heldUntil(history, lastUs));
  history.primary = who;
  history.sinceUs = clockOf(history);
  // What is left behind was never confirmed to anybody: without it is right as well. And one clock may skip instants of the other.
  const lostUs = last.log.find((one) => !has(next.log, one))?.atUs ?? lastUs;
  history.held.push({
    ...heldUntil(history, Math.max(lastUs, history.sinceUs)),
    fromUs: Math.min(lostUs, lastUs),
  });
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

/** Longer than clocks may differ by. */
const EXCHANGE_US = 100;

/** The servers are others from now on. */
async function turnTo(history: History, { servers, primary }: Aside, aside: Aside): Promise<void> {
  if (!(await isAllHeld(history))) return;
  history.eras.push(wholeLogs(history));
  const last = history.held.push(heldUntil(history, 0)) - 1;
  history.nowUs += EXCHANGE_US;
  Object.assign(history, { servers, primary, past: [], aside, eraFromUs: history.nowUs });
  history.sinceUs = clockOf(history);
  // Ordinal's own accounts and the row of the epoch are the first that is committed, and the archive goes on.
  await happens(history, { kind: "write", count: 1 });
  // Until then nobody was in service, and nothing else was held.
  history.held[last] = { ...(history.held[last] as Held), toUs: clockOf(history) - 1 };
  await happens(history, { kind: "archive", who: primary, bytes: 5_000 });
}

/** To an earlier state: new servers hold it, of which the last few transactions were replayed and are in their logs. */
async function restore(history: History, keep: number, replayed: number): Promise<void> {
  const { servers, primary } = history;
  const log = servers[primary]?.log ?? [];
  const kept = log.slice(0, Math.floor((log.length * keep) / 100));
  const purged = Math.max(0, kept.length - replayed);
  const restored = servers.map(() => ({ uuid: newUuid(history), log: [...kept], purged }));
  await turnTo(history, { servers: restored, primary: 0 }, { servers, primary });
}

/** What is taken out of service is set aside in its turn. */
async function undo(history: History): Promise<void> {
  const { aside, servers, primary } = history;
  if (aside !== null) await turnTo(history, aside, { servers, primary });
}

export async function happens(history: History, what: Event): Promise<void> {
  const { store, servers } = history;
  const server = "who" in what ? (servers[what.who] as Server) : (servers[history.primary] as Server);
  const primary = servers[history.primary] as Server;
  const askTip = () =>
    Promise.resolve(
      succeed({
        serverUuid: primary.uuid,
        position: setOf(primary.log),
        atUs: clockOf(history),
      }),
    );
  const pass = (of: Server, segmentBytesMax: number) =>
    archive(archiveWork(store, { segmentBytesMax, askTip }), sourceOf(of));
  if (what.kind === "write") {
    for (let index = 0; index < what.count; index += 1) {
      history.nowUs += 10;
      const atUs = clockOf(history);
      history.held.push(heldUntil(history, atUs - 1));
      history.sinceUs = atUs;
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
    // Of the archive: a backup that is gone takes with it what was known of nowhere else.
    const objects = [...store.objects.keys()].filter(
      (key) => key.endsWith(".zst") && key.includes("/binlogs/"),
    );
    store.objects.delete(objects[what.which] ?? "");
  } else if (server.log.length > 0) {
    history.backups += 1;
    const position = setOf(server.log).replaceAll("\n", "");
    // It ends a while after what it holds was committed: longer than clocks may differ by, at a full millisecond.
    const endedMs = Math.ceil((history.nowUs + EXCHANGE_US) / 1_000);
    history.nowUs = endedMs * 1_000;
    const slot = new Date(START_MS + history.backups * 60_000).toISOString();
    await putBackup(store, position, { endedAt: new Date(endedMs).toISOString() }, slot);
  }
}

/** Of those that only lacked something that another one had, the other one. */
function wholeLogs({ servers, past }: History): readonly (readonly Committed[])[] {
  const logs = [...past, ...servers.map(({ log }) => log.slice())];
  return logs.filter(
    (log, index) =>
      !logs.some((other, at) => isPartOf(log, other) && (other.length > log.length || at < index)),
  );
}

/** Every log that a server ever had. */
export function logsOf(history: History): readonly (readonly Committed[])[] {
  return [...history.eras.flat(), ...wholeLogs(history)];
}

/** All states that somebody in service held at this instant, by his clock. */
export function heldAt(history: History, atUs: number): readonly string[] {
  return [...history.held, heldUntil(history, clockOf(history))]
    .filter(({ fromUs, toUs }) => fromUs <= atUs && atUs <= toUs)
    .map(({ state }) => state);
}
