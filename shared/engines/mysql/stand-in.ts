/**
 * A server that is not there, for plans that are shown before anything is done. It answers what the verbs ask of one
 * with the given facts, in the way that lets them act, and tells the statements that they would have sent. So a
 * plan holds the statements of the verbs themselves, and none is written twice. It changes nothing and never holds
 * a real password: whoever makes one gives the verbs a made-up secret, which is told as `***`.
 */
import { assert, succeed } from "../../model/outcome.ts";
import type { ServerFacts } from "../../model/server.ts";
import type { LoggedTransaction, Row, Server, Value } from "../../ports/server.ts";
import { ATTRIBUTES, fingerprint, grantedAttribute, isGranted } from "./accounts.ts";
import { afterStatement } from "./after-statement.ts";
import { OFFLINE, RECEIVED } from "./change-of-primary.ts";
import { sha256 } from "./digest.ts";
import { gtidSets } from "./gtid.ts";
import { PLUGINS } from "./plugins.ts";
import { ANONYMOUS, CLOSED, INSTALLED, WATCH_SECONDS, WATCHED } from "./prepare.ts";
import { ACKNOWLEDGEMENTS, REGISTERED, SESSIONS } from "./primary.ts";
import { CHANNEL, EXECUTED, GIVEN } from "./replication.ts";
import { rules } from "./rules.ts";
import { EXECUTED_ALL } from "./run.ts";
import { COVERED, EMPTINESS } from "./seed.ts";
import { DECLARED, KEPT, KEPT_COLUMNS, OWN_POSITION } from "./tail.ts";

const MASK = "***";
/** What only the server knows when it is time. */
const LATER = { thread: "<thread>", digest: "<digest>", events: "<events>" } as const;
/** In place of transactions that nobody has read yet. */
const SOME_EVENTS = new Uint8Array([0]);

const CHARS_MAX = 240;

/** They only look, or are the lock under which the rest is done: GET_LOCK, its time limit, RELEASE_ALL_LOCKS. */
const UNTOLD = /^(?:SELECT (?!WAIT_FOR_EXECUTED_GTID_SET\()|SET SESSION wait_timeout\b)/;

const flag = (is: boolean): string => (is ? "1" : "0");
const word = (is: boolean): string => (is ? "ON" : "OFF");
const RECEIVER = { on: "ON", connecting: "CONNECTING", off: "OFF" } as const;

type Reading = (facts: ServerFacts) => readonly Row[];

/** One row with what both readings of a channel ask for; none without a channel. */
function channelRows({ channel, executed, received, readOnly }: ServerFacts): readonly Row[] {
  if (channel === null) return [];
  return [
    {
      host: channel.sourceHost,
      port: String(rules.port),
      account: channel.account,
      auto_position: flag(channel.autoPosition),
      tls: channel.tls ? "YES" : "NO",
      receiver: RECEIVER[channel.receiver],
      applier: word(channel.applier === "on"),
      received,
      applied: flag(gtidSets.contains(executed, received)),
      applying: "0",
      closed: flag(readOnly),
      delay: "0",
    },
  ];
}

/** What cannot be seen from facts is as it has to be: a server on which it is not refuses the step, and says so. */
function acknowledgements({ acks, channel, readOnly, offline }: ServerFacts): Row {
  return {
    required: flag(acks.required),
    count: String(acks.count),
    point: "AFTER_SYNC",
    unattended: "1",
    timeout: "4294967295",
    closed: flag(readOnly),
    offline: flag(offline),
    clients: String(acks.clients),
    waiters: "0",
    receiving: flag(channel !== null && channel.receiver !== "off"),
  };
}

const READINGS: ReadonlyMap<string, Reading> = new Map<string, Reading>([
  [RECEIVED, channelRows],
  // Everything that was received is executed by the time that it has to be.
  [CHANNEL, (facts) => channelRows(facts).map((row) => ({ ...row, applied: "1" }))],
  [EXECUTED_ALL, () => [{ late: "0" }]],
  [EXECUTED, ({ executed }) => [{ executed }]],
  [OFFLINE, () => [{ offline: "1" }]],
  [
    GIVEN,
    ({ acks, channel, settings }) => [
      {
        given: flag(acks.given),
        active: word(acks.active),
        kept: settings["persisted:rpl_semi_sync_replica_enabled"] ?? null,
        receiver: channel === null ? null : RECEIVER[channel.receiver],
      },
    ],
  ],
  [WATCHED, () => [{ watched: String(WATCH_SECONDS), verbosity: "2", violations: "0" }]],
  [ANONYMOUS, () => [{ n: "0" }]],
  [
    INSTALLED,
    ({ settings }) =>
      Object.entries(PLUGINS).flatMap(([name, { variable }]) =>
        settings[variable] === undefined ? [] : [{ name }],
      ),
  ],
  [CLOSED, ({ settings }) => [{ closed: flag(settings["super_read_only"] === "ON") }]],
  [EMPTINESS, () => []],
  [COVERED, () => [{ covered: "1", closed: "1", waiters: "0" }]],
  // Those that it needs come, as far as anybody can say before.
  [REGISTERED, () => [{ clients: "Infinity" }]],
  [ACKNOWLEDGEMENTS, (facts) => [acknowledgements(facts)]],
  // One at least, or there would be nobody to be put out.
  [SESSIONS, () => [{ id: LATER.thread }]],
  [OWN_POSITION, ({ serverUuid, executed }) => [{ uuid: serverUuid, executed }]],
]);

function literal(value: Value): string {
  if (value === null) return "NULL";
  if (value instanceof Uint8Array) return LATER.events;
  // The number of a thread, which a server gives.
  if (typeof value !== "string") return Number.isNaN(value) ? LATER.thread : String(value);
  const text =
    value.length <= CHARS_MAX ? value : `${value.slice(0, CHARS_MAX)}… (${value.length} characters)`;
  return `'${text.replaceAll(/['\\]/g, "\\$&")}'`;
}

/** A statement as one line, with its values in their places. */
function written(sql: string, values: readonly Value[]): string {
  const [first = "", ...rest] = sql.replaceAll(/\s+/g, " ").trim().split("?");
  assert(rest.length === values.length, "a statement has as many values as places for them");
  return rest.reduce((text, part, at) => `${text}${literal(values[at] ?? null)}${part}`, first);
}

/** Of the server and epoch that KEPT and DECLARED ask for. */
function archivedGtids({ archived }: ServerFacts, [epoch, serverUuid]: readonly Value[]): readonly string[] {
  const of = archived.filter((tail) => tail.epoch === epoch && tail.serverUuid === serverUuid);
  return of.map(({ gtids }) => gtids);
}

/** What was archived before is still there, whole. */
async function archivedRows(gtids: readonly string[]): Promise<readonly Row[]> {
  const digest = await sha256(SOME_EVENTS);
  return gtids.map((gtid) => ({ gtid, digest, part: "1", held: digest }));
}

/** The rows of KEPT, as the statements that were sent have written them. */
async function keptRows(sent: readonly Value[]): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (let at = 0; at < sent.length; at += KEPT_COLUMNS) {
    const [, , gtid, digest, part, , , events] = sent.slice(at, at + KEPT_COLUMNS);
    const held = events instanceof Uint8Array ? await sha256(new Uint8Array(events)) : "";
    rows.push({ gtid: String(gtid), digest: String(digest), part: String(part), held });
  }
  return rows;
}

async function attributeRows({ settings }: ServerFacts, secret: string): Promise<readonly Row[]> {
  // Whether an account was made for the password of now is known to whoever has the password.
  const attribute = grantedAttribute(await fingerprint(secret));
  return Object.entries(settings).flatMap(([key, value]) => {
    const [, name] = /^account:(.+)$/.exec(key) ?? [];
    return name === undefined ? [] : [{ name, attribute: isGranted(value) ? attribute : value }];
  });
}

export function standIn(
  facts: () => ServerFacts,
  secret: string,
  told: (statement: string, facts: ServerFacts) => void,
): Server {
  const kept: Value[] = [];

  async function tell(sql: string, values: readonly Value[]): Promise<void> {
    if (UNTOLD.test(sql)) return;
    const hidden = [secret, await fingerprint(secret)];
    const shown = hidden.reduce((text, one) => text.replaceAll(one, MASK), written(sql, values));
    const statement = shown.replaceAll(await sha256(SOME_EVENTS), LATER.digest);
    told(statement, afterStatement(facts(), statement));
  }

  async function rowsOf(sql: string, values: readonly Value[]): Promise<readonly Row[]> {
    const archived = archivedGtids(facts(), values);
    if (sql === KEPT) return [...(await archivedRows(archived)), ...(await keptRows(kept))];
    if (sql === DECLARED) return archived.map((gtids) => ({ gtids }));
    if (sql === ATTRIBUTES) return attributeRows(facts(), secret);
    if (sql.startsWith("INSERT INTO ordinal.tail ")) kept.push(...values);
    const reading = READINGS.get(sql);
    if (reading !== undefined) return reading(facts());
    if (sql.startsWith("SELECT GET_LOCK(")) return [{ mine: "1" }];
    assert(!sql.startsWith("SELECT ") || sql.startsWith("SELECT RELEASE_ALL_LOCKS("), `no answer to: ${sql}`);
    return [];
  }

  /** All that it has and others lack, as one transaction: how many there are is known to its log. */
  function logged(except: string): readonly LoggedTransaction[] {
    const gtid = gtidSets.subtract(facts().executed, except);
    return gtid === "" ? [] : [{ gtid, events: SOME_EVENTS }];
  }

  return {
    authority: null,
    async query(sql, values = []) {
      await tell(sql, values);
      return succeed(await rowsOf(sql, values));
    },
    readLog: (except) => Promise.resolve(succeed(logged(except))),
    close: () => Promise.resolve(),
  };
}
