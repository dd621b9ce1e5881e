/**
 * What a verb does when a statement fails: it says so in the server's own words and tells the server nothing more,
 * but what puts the session or the server back into the state in which it was found.
 */
import { describe, expect, test } from "vitest";
import { mysql } from "../../../shared/engines/mysql/index.ts";
import type { Failure, Outcome } from "../../../shared/model/outcome.ts";
import type { Accounts, Peer } from "../../../shared/ports/engine.ts";
import type { Server } from "../../../shared/ports/server.ts";
import { type Answer, failingAt, row, scripted } from "./scripted.ts";

const UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
const accounts: Accounts = {
  control: { username: "ordinal", password: "C".repeat(32) },
  replication: (ordinal) => ({ username: `ordinal_repl_${ordinal}`, password: "R".repeat(32) }),
};
const peer: Peer = { host: "mysql-0.mysql", port: 3306, account: accounts.replication(1) };
const term = { epoch: 2, clusterUid: "uid", opId: "op", ackCount: 1, at: "now" };
const tail = {
  serverUuid: UUID,
  gtids: `${UUID}:9`,
  transactions: [{ gtid: `${UUID}:9`, events: new Uint8Array([1]) }],
};
const FAILURE: Failure = { kind: "refused", code: 9_999, message: "what the server said" };

const closed = { required: "0", count: "1", clients: "0", waiters: "0", closed: "1", offline: "1" };
const strict = { required: "1", point: "AFTER_SYNC", unattended: "1", timeout: "4294967295", receiving: "0" };
const acknowledgements = (more: object): Answer => row("AS unattended", { ...closed, ...more });
const received = (more: object): Answer =>
  row("AS applying", {
    ...{ receiver: "OFF", applier: "ON", received: `${UUID}:1-9`, applied: "1", applying: "1", closed: "1" },
    ...more,
  });
const channel = (more: object): Answer =>
  row("AS delay", {
    ...{ host: "mysql-1.mysql", port: "3306", account: "ordinal_repl_1", auto_position: "1", tls: "YES" },
    ...{ receiver: "ON", applier: "ON", applied: "1", delay: "0" },
    ...more,
  });
const notLate = row("AS late", { late: "0" });
const none = (): readonly Answer[] => [];

interface Case {
  readonly name: string;
  readonly verb: (server: Server) => Promise<Outcome<unknown>>;
  readonly answers: () => readonly Answer[];
  /** How many statements it tells a server with which nothing is wrong. */
  readonly statements: number;
  /** Statements whose failure is followed by others. */
  readonly puttingBack?: readonly number[];
}

function preparing(kind: string, parameters: Readonly<Record<string, string>>): Case["verb"] {
  return (server) => mysql.prepare(server, { kind, text: "", parameters }, accounts);
}

const flags = {
  flags: JSON.stringify({ "table:term": "present", "table:archive": "present", clone_valid_donor_list: "" }),
};
const watched = row("AS watched", { watched: "60", verbosity: "2", violations: "0" });

/** Nothing is kept before it is written. */
function keeping(): readonly Answer[] {
  const digest = "4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a";
  let written = false;
  return [
    (sql) => {
      written ||= sql.includes("INTO ordinal.tail");
      return written && sql.includes("AS held")
        ? [{ gtid: `${UUID}:9`, digest, part: "1", held: digest }]
        : null;
    },
  ];
}

const CASES: readonly Case[] = [
  { name: "arm", verb: (s) => mysql.arm(s, 1), answers: () => [acknowledgements({})], statements: 2 },
  {
    name: "disarm",
    verb: (s) => mysql.arm(s, 0),
    answers: () => [acknowledgements({ required: "1" })],
    statements: 2,
  },
  {
    name: "open",
    verb: (s) => mysql.open(s, term, 5_000),
    answers: () => [acknowledgements(strict)],
    statements: 7,
  },
  { name: "nudge", verb: (s) => mysql.nudge(s, 5_000), answers: none, statements: 2 },
  { name: "unlock", verb: mysql.unlock, answers: none, statements: 1 },
  {
    name: "lock",
    verb: (s) => mysql.lock(s, "ordinal:a", 1_000),
    answers: () => [row("GET_LOCK", { mine: "1" })],
    statements: 2,
  },
  {
    name: "lock an account",
    verb: (s) => mysql.lockAccount(s, "ordinal_repl_1", true),
    answers: () => [row("PROCESSLIST_USER", { id: "7" })],
    statements: 5,
    puttingBack: [1],
  },
  { name: "hand over, primary", verb: (s) => mysql.handOver(s, "primary", 1), answers: none, statements: 4 },
  { name: "hand over, replica", verb: (s) => mysql.handOver(s, "replica", 1), answers: none, statements: 2 },
  { name: "start following", verb: (s) => mysql.follow(s, peer, "start"), answers: none, statements: 1 },
  { name: "follow at first", verb: (s) => mysql.follow(s, peer, "full"), answers: none, statements: 5 },
  {
    name: "follow another one, applying",
    verb: (s) => mysql.follow(s, peer, "full"),
    answers: () => [channel({})],
    statements: 6,
  },
  {
    name: "follow another one, with threads that stand",
    verb: (s) => mysql.follow(s, peer, "full"),
    answers: () => [channel({ applier: "OFF" })],
    statements: 8,
  },
  {
    name: "receive from another one",
    verb: (s) => mysql.follow(s, peer, "receiver"),
    answers: () => [channel({ applier: "OFF" })],
    statements: 5,
  },
  { name: "acknowledge", verb: (s) => mysql.acknowledge(s, true), answers: none, statements: 4 },
  { name: "executed", verb: mysql.executed, answers: none, statements: 1 },
  { name: "await", verb: (s) => mysql.awaitExecuted(s, "", 1_000), answers: () => [notLate], statements: 1 },
  { name: "fence", verb: mysql.fence, answers: none, statements: 3 },
  { name: "demote", verb: mysql.demote, answers: none, statements: 2 },
  {
    name: "stop receiving, with an applier that stands",
    verb: mysql.stopReceiving,
    answers: () => [received({ receiver: "ON", applier: "OFF", applied: "0" })],
    statements: 4,
  },
  {
    name: "promote, with a part of a transaction",
    verb: (s) => mysql.promote(s, 1_000),
    answers: () => [received({}), notLate, row("replica_sql", { id: "7" })],
    statements: 7,
  },
  {
    name: "promote, with an applier that stands",
    verb: (s) => mysql.promote(s, 1_000),
    answers: () => [received({ applier: "OFF", applied: "0" }), notLate],
    statements: 6,
  },
  {
    name: "restart",
    verb: mysql.restart,
    answers: () => [row("offline_mode", { offline: "1" })],
    statements: 3,
  },
  { name: "seed", verb: (s) => mysql.seed(s, peer, 1_000, null), answers: none, statements: 5 },
  {
    name: "seed again",
    verb: (s) => mysql.seed(s, peer, 1_000, ""),
    answers: () => [row("AS covered", { covered: "1", closed: "1", waiters: null })],
    statements: 5,
  },
  { name: "warn", verb: preparing("gtid", { stage: "warn" }), answers: none, statements: 1 },
  { name: "enforce", verb: preparing("gtid", { stage: "enforce" }), answers: () => [watched], statements: 2 },
  {
    name: "require GTIDs",
    verb: preparing("gtid", { stage: "on" }),
    answers: () => [row("AS n FROM", { n: "0" })],
    statements: 2,
  },
  {
    name: "install plugins on a closed server",
    verb: preparing("plugins", { names: "clone,rpl_semi_sync_source" }),
    answers: () => [row("super_read_only AS closed", { closed: "1" })],
    statements: 6,
    puttingBack: [3, 4],
  },
  {
    name: "settings",
    verb: preparing("settings", { sync_binlog: "persist 1", super_read_only: "reset" }),
    answers: none,
    statements: 2,
  },
  { name: "tables", verb: preparing("tables", { names: "term,tail" }), answers: none, statements: 3 },
  { name: "accounts", verb: preparing("accounts", { ordinals: "0" }), answers: none, statements: 12 },
  {
    name: "read a tail",
    verb: (s) => mysql.readTail(s, `${UUID}:1-8`),
    answers: () => [row("AS uuid", { uuid: UUID, executed: `${UUID}:1-8` })],
    statements: 2,
  },
  {
    name: "keep a tail",
    verb: (s) => mysql.keepTail(s, tail, { epoch: 2, clusterUid: "uid", at: "now" }),
    answers: keeping,
    statements: 5,
  },
  { name: "look whether it stands still", verb: mysql.standstill, answers: none, statements: 2 },
  {
    name: "observe",
    verb: (s) => mysql.observe(s, { survey: true }),
    answers: () => [row("AS flags", flags)],
    statements: 3,
  },
];

describe("a statement that fails", () => {
  test.each(CASES)("ends: $name", async ({ verb, answers, statements, puttingBack = [] }) => {
    const well = scripted(answers());
    expect(await verb(well.server)).toMatchObject({ ok: true });
    expect(well.told).toHaveLength(statements);
    for (let number = 0; number < statements; number += 1) {
      const { server, told } = scripted([failingAt(number, FAILURE), ...answers()]);
      expect(await verb(server)).toEqual({ ok: false, failure: FAILURE });
      if (!puttingBack.includes(number)) expect(told).toEqual(well.told.slice(0, number + 1));
    }
  });

  test("while a lock of accounts is not logged has what follows logged again", async () => {
    for (const number of [1, 2]) {
      const { server, told } = scripted([failingAt(number, FAILURE)]);
      expect(await mysql.lockAccount(server, "ordinal_repl_1", true)).toEqual({
        ok: false,
        failure: FAILURE,
      });
      expect(told.at(-1)).toBe("SET SESSION sql_log_bin = ON");
    }
  });

  test("while plugins are installed leaves a closed server closed", async () => {
    const closedServer = row("super_read_only AS closed", { closed: "1" });
    const { server, told } = scripted([failingAt(3, FAILURE), closedServer]);
    const installing = preparing("plugins", { names: "clone,rpl_semi_sync_source" });
    expect(await installing(server)).toEqual({ ok: false, failure: FAILURE });
    expect(told.at(-1)).toBe("SET GLOBAL super_read_only = ON");
  });
});

describe("what only looks like a failure:", () => {
  const at = (number: number, more: Partial<Failure>) => failingAt(number, { ...FAILURE, ...more });

  test.each<[string, Case["verb"], readonly Answer[]]>([
    ["commits that wait keep a fence from closing", mysql.fence, [at(2, { code: 1205 })]],
    [
      "a session that is gone need not be killed",
      (s) => mysql.lockAccount(s, "ordinal_repl_1", true),
      [at(4, { code: 1094 }), row("PROCESSLIST_USER", { id: "7" })],
    ],
    [
      "an applier that is gone need not be killed",
      (s) => mysql.promote(s, 1_000),
      [at(4, { code: 1094 }), received({}), notLate, row("replica_sql", { id: "7" })],
    ],
    [
      "a server that ends may not answer",
      mysql.restart,
      [at(2, { kind: "transient" }), row("offline_mode", { offline: "1" })],
    ],
    [
      "a copy is complete, and nobody starts the server again",
      (s) => mysql.seed(s, peer, 1_000, null),
      [at(4, { code: 3707 })],
    ],
  ])("%s", async (_, verb, answers) => {
    expect(await verb(scripted(answers).server)).toEqual({ ok: true, value: null });
  });

  test.each<[number, Failure["kind"]]>([
    [1205, "transient"],
    [1213, "transient"],
    [3572, "transient"],
    [1290, "conflict"],
    [1836, "conflict"],
    [1227, "refused"],
  ])("error %s is %s", async (code, kind) => {
    const { server } = scripted([at(0, { code })]);
    expect(await mysql.demote(server)).toMatchObject({ failure: { kind, code } });
  });
});
