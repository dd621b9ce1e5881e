/**
 * Every verb of the MySQL engine on real servers in pods: each is repeated, and each is cut off after every
 * one of its statements and taken up again on a new connection. An application writes all the while, and
 * not one of its writes may fail while a running server is adopted.
 */
import fc from "fast-check";
import { createConnection } from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createServers } from "../../shared/adapters/mysql/servers.ts";
import { gtidSets } from "../../shared/engines/mysql/gtid.ts";
import { mysql } from "../../shared/engines/mysql/index.ts";
import type { DesiredMember, Preparation } from "../../shared/model/engine.ts";
import type { Outcome } from "../../shared/model/outcome.ts";
import type { ServerFacts } from "../../shared/model/server.ts";
import type { Accounts, Peer } from "../../shared/ports/engine.ts";
import type { Credentials, Server } from "../../shared/ports/server.ts";
import { samples } from "../property/gtid-sets.ts";
import { losing } from "../support/losing.ts";
import { type MysqlPods, ROOT, startMysqlPods } from "../support/mysql-pods.ts";
import { waitFor } from "../support/wait.ts";
import { failedWrites, prepareTable, startWorkload, type Workload } from "../support/workload.ts";

const kubeconfig = process.env["ORDINAL_TEST_KUBECONFIG"];
const needs = kubeconfig === undefined ? " (skipped: ORDINAL_TEST_KUBECONFIG names no cluster)" : "";

const accounts: Accounts = {
  control: { username: "ordinal", password: "C".repeat(32) },
  replication: (ordinal) => ({
    username: `ordinal_repl_${ordinal}`,
    password: `R${ordinal}`.padEnd(32, "x"),
  }),
};
const LIMITS = { port: 3306, connectTimeoutMs: 3_000, queryTimeoutMs: 20_000, attributes: {} };
const TERM = { epoch: 1, clusterUid: "uid-1", opId: "op-1", ackCount: 1, at: "2026-11-23T10:00:00.000Z" };

let pods: MysqlPods;
let workload: Workload;

function donor(forOrdinal: number): Peer {
  return { host: pods.host(0), port: 3306, account: accounts.replication(forOrdinal) };
}

function desired(ordinal: number, role: DesiredMember["role"], taken: readonly string[]): DesiredMember {
  return {
    ordinal,
    role,
    ackCount: 1,
    resumes: false,
    ordinals: [0, 1, 2],
    deletesLogs: null,
    takenNumbers: taken,
  };
}

/** On a connection of its own. */
async function on<T>(ordinal: number, work: (server: Server) => Promise<T>, as?: Credentials): Promise<T> {
  const server = await pods.connect(ordinal, as);
  try {
    return await work(server);
  } finally {
    await server.close();
  }
}

function unwrap<T>(outcome: Outcome<T>): T {
  if (!outcome.ok) throw new Error(outcome.failure.message);
  return outcome.value;
}

function factsOf(ordinal: number, as?: Credentials): Promise<ServerFacts> {
  return on(ordinal, async (server) => unwrap(await mysql.observe(server, { survey: true })), as);
}

async function until(
  what: string,
  ordinal: number,
  holds: (facts: ServerFacts) => boolean,
): Promise<ServerFacts> {
  return waitFor(what, { timeoutMs: 60_000 }, async () => {
    const facts = await factsOf(ordinal);
    return holds(facts) ? { ok: true, value: facts } : { ok: false, saw: JSON.stringify(facts.channel) };
  });
}

type Verb = (server: Server) => Promise<Outcome<null>>;

/** Cuts a verb off after its first statement, its second, and so on, until it gets through; then once more. */
async function persist(ordinal: number, verb: Verb, as?: Credentials): Promise<void> {
  for (let statements = 1; ; statements++) {
    const outcome = await on(ordinal, (server) => verb(losing(server, statements)), as);
    if (outcome.ok) break;
    expect(outcome.failure.message).toBe("cut off");
  }
  expect(await on(ordinal, verb, as)).toEqual({ ok: true, value: null });
}

describe.skipIf(kubeconfig === undefined)(
  `the MySQL engine on real servers${needs}`,
  { timeout: 300_000 },
  () => {
    beforeAll(async () => {
      pods = await startMysqlPods(kubeconfig ?? "");
      await Promise.all([0, 1, 2].map((ordinal) => on(ordinal, async () => undefined)));
      const host = (await pods.address(0)) ?? "";
      const connection = await createConnection({ host, user: ROOT.username, password: ROOT.password });
      await prepareTable(connection);
      await connection.end();
      workload = startWorkload({
        locate: async () => host,
        user: ROOT.username,
        password: ROOT.password,
        writers: 4,
        perSecond: 200,
        secondsMax: 240,
        timeoutMs: 5_000,
      });
    });

    afterAll(async () => {
      await workload?.stop();
      await pods?.remove();
    });

    test("fresh servers are seen as what they are", async () => {
      const [first, second] = await Promise.all([factsOf(0), factsOf(1)]);
      expect(mysql.rules.unsupported(first)).toBeNull();
      expect(first.survey?.schemas).toEqual(["ordinal_check"]);
      expect(mysql.rules.initialOnly(first)).toBe(false);
      expect(second).toMatchObject({
        flavor: "MySQL",
        readOnly: false,
        channel: null,
        followers: 0,
        terms: [],
      });
      expect(mysql.rules.initialOnly(second)).toBe(true);
      expect((await factsOf(1)).startedAtMs).toBe(second.startedAtMs);
    });

    test("a connection trusts the recorded authority and nobody else", async () => {
      const servers = createServers({ pool: false });
      const [first, second] = await Promise.all([pods.connect(0), pods.connect(1)]);
      const to = async (authority: string | null, password = ROOT.password): Promise<Outcome<Server>> => {
        const credentials = { username: ROOT.username, password };
        return servers.connect({ ...LIMITS, host: (await pods.address(0)) ?? "", credentials, authority });
      };
      expect(first.authority).toContain("BEGIN CERTIFICATE");
      expect(unwrap(await to(first.authority)).authority).toBe(first.authority);
      expect(await to(second.authority)).toMatchObject({ ok: false, failure: { kind: "refused" } });
      expect(await to(null, "wrong")).toMatchObject({ ok: false, failure: { kind: "refused", code: 1045 } });
      await Promise.all([first.close(), second.close()]);
    });

    test("a connection is kept for the next reader, never for a fenced session, and not after a timeout", async () => {
      const servers = createServers({ pool: true });
      const to = { ...LIMITS, host: (await pods.address(0)) ?? "", credentials: ROOT, authority: null };
      const idOf = async (fresh: boolean, timeoutMs?: number): Promise<string> => {
        const server = unwrap(await servers.connect({ ...to, fresh }));
        const [row] = unwrap(await server.query("SELECT CONNECTION_ID() AS id"));
        if (timeoutMs !== undefined) {
          const late = await server.query("DO SLEEP(2)", [], { timeoutMs });
          expect(late).toMatchObject({ ok: false, failure: { kind: "transient" } });
        }
        await server.close();
        return row?.["id"] ?? "";
      };
      const first = await idOf(false);
      expect(await idOf(false)).toBe(first);
      expect(await idOf(true)).not.toBe(first);
      expect(await idOf(false, 100)).toBe(first);
      expect(await idOf(false)).not.toBe(first);
      servers.close();
    });

    test("GTID sets are what the server says they are", async () => {
      const pairs = fc.sample(fc.tuple(samples, samples), 300);
      await on(0, async (server) => {
        for (const [a, b] of pairs) {
          const sql =
            "SELECT GTID_SUBTRACT(?, ?) AS difference, GTID_SUBSET(?, ?) AS part, GTID_SUBTRACT(?, '') AS same";
          const [row] = unwrap(await server.query(sql, [a.text, b.text, b.text, a.text, a.text]));
          expect(gtidSets.subtract(a.text, b.text)).toBe(row?.["difference"]);
          expect(gtidSets.contains(a.text, b.text)).toBe(row?.["part"] === "1");
          expect(gtidSets.union(a.text, "")).toBe(row?.["same"]);
        }
      });
    });

    test.each([0, 1, 2])("server %i is prepared, and then nothing is missing", async (ordinal) => {
      const want = desired(ordinal, ordinal === 0 ? "primary" : "unseeded", ["1"]);
      const missing = mysql.rules.preparations(await factsOf(ordinal), want);
      expect(missing.map(({ kind }) => kind)).toEqual(
        ordinal === 0 ? ["plugins", "settings", "tables", "accounts"] : ["plugins", "settings"],
      );
      for (const preparation of missing) {
        await persist(ordinal, (server) => mysql.prepare(server, preparation, accounts));
      }
      const facts = await factsOf(ordinal);
      expect(mysql.rules.preparations(facts, want)).toEqual([]);
      expect(facts.readOnly).toBe(ordinal !== 0);
    });

    test("the control account sees the same, and can read no user data", async () => {
      const facts = await factsOf(0, accounts.control);
      expect(facts.survey?.schemas).toEqual(["ordinal_check"]);
      expect(mysql.rules.preparations(facts, desired(0, "primary", []))).toEqual([]);
      await on(
        0,
        async (server) => {
          const read = await server.query("SELECT 1 FROM ordinal_check.writes LIMIT 1");
          expect(read).toMatchObject({ ok: false, failure: { kind: "refused", code: 1142 } });
          const wanted = { ...desired(0, "primary", []), ordinals: [0, 1, 2, 3] };
          const [more] = mysql.rules.preparations(facts, wanted);
          expect(more?.kind).toBe("accounts");
          if (more) expect(await mysql.prepare(server, more, accounts)).toEqual({ ok: true, value: null });
        },
        accounts.control,
      );
    });

    test("while it keeps its logs our own account sees how much it stores, and not otherwise", async () => {
      const { control } = accounts;
      const keep = { ...desired(0, "primary", []), deletesLogs: false };
      const facts = await factsOf(0, control);
      expect([facts.deletesLogs, facts.storedBytes]).toEqual([true, null]);
      const [change] = mysql.rules.preparations(facts, keep);
      await on(0, (server) => mysql.prepare(server, change as Preparation, accounts), control);
      const kept = await factsOf(0, control);
      expect(kept).toMatchObject({ deletesLogs: false });
      expect(kept.storedBytes).toBeGreaterThan(1_000_000);
      const [back] = mysql.rules.preparations(kept, { ...keep, deletesLogs: true });
      await on(0, (server) => mysql.prepare(server, back as Preparation, accounts), control);
      expect(await factsOf(0, control)).toMatchObject({ deletesLogs: true, storedBytes: null });
    });

    test.each([1, 2])("server %i is seeded once", async (ordinal) => {
      const started = await on(ordinal, (server) => mysql.seed(server, donor(ordinal), 60_000, null));
      expect(started).toEqual({ ok: true, value: null });
      const facts = await until("the copy to be there", ordinal, ({ seeding }) => seeding.kind === "done");
      expect(facts).toMatchObject({ readOnly: true, channel: null });
      expect(mysql.rules.preparations(facts, desired(ordinal, "replica", []))).toEqual([]);
      const again = await on(ordinal, (server) => mysql.seed(server, donor(ordinal), 60_000, null));
      expect(again).toMatchObject({ ok: false, failure: { kind: "conflict" } });
    });

    test.each([1, 2])("server %i follows and acknowledges", async (ordinal) => {
      const { control } = accounts;
      await persist(ordinal, (server) => mysql.follow(server, donor(ordinal), "full"), control);
      await until(
        "it to follow",
        ordinal,
        ({ channel }) => channel?.receiver === "on" && channel.applier === "on",
      );
      await persist(ordinal, (server) => mysql.acknowledge(server, true), control);
      await until("it to acknowledge", ordinal, ({ acks }) => acks.active);
      for (const how of ["full", "receiver", "start"] as const) {
        await persist(ordinal, (server) => mysql.follow(server, donor(ordinal), how), control);
      }
      const { channel } = await until("it to follow", ordinal, (facts) => facts.channel?.receiver === "on");
      expect(channel).toMatchObject({ account: `ordinal_repl_${ordinal}`, autoPosition: true, tls: true });
    });

    test("the primary is opened only after it is armed, and proves it with a term", async () => {
      const { control } = accounts;
      await until("both to be connected", 0, ({ acks }) => acks.clients === 2);
      const early = await on(0, (server) => mysql.open(server, TERM, 5_000), control);
      expect(early).toMatchObject({ ok: false, failure: { kind: "conflict" } });
      expect(await on(0, (server) => mysql.arm(server, 3), control)).toMatchObject({
        failure: { kind: "conflict" },
      });
      // Once armed, writes wait for whatever the followers still have to receive.
      const position = unwrap(await on(0, mysql.executed));
      for (const ordinal of [1, 2]) {
        const reached = await on(ordinal, (server) => mysql.awaitExecuted(server, position, 20_000), control);
        expect(reached).toEqual({ ok: true, value: null });
      }
      await persist(0, (server) => mysql.arm(server, 1), control);
      await persist(0, (server) => mysql.open(server, TERM, 5_000), control);
      const facts = await factsOf(0, control);
      expect(facts.acks).toMatchObject({ required: true, count: 1, clients: 2 });
      const { serverUuid } = facts;
      // Twice with an answer cut off (its own, and the one after it), once whole, and once more: each is counted.
      expect(facts.terms).toEqual([{ epoch: 1, opened: 4, clusterUid: "uid-1", serverUuid }]);
    });

    test("a position that nobody has is not waited for without end", async () => {
      const unheard = "3e11fa47-71ca-11e1-9e33-c80aa9429562:7";
      const outcome = await on(1, (server) => mysql.awaitExecuted(server, unheard, 300));
      expect(outcome).toMatchObject({ ok: false, failure: { kind: "transient" } });
    });

    test("a locked replication account is out and stays out until it is unlocked", async () => {
      const { control } = accounts;
      await persist(0, (server) => mysql.lockAccount(server, "ordinal_repl_2", true), control);
      await until("its stream to end", 0, ({ acks, followers }) => acks.clients === 1 && followers === 1);
      const { channel } = await until("the refusal", 2, (facts) => facts.channel?.receiverError != null);
      expect(channel?.receiverError).toContain("locked");
      await persist(0, (server) => mysql.lockAccount(server, "ordinal_repl_2", false), control);
      await until("it to be back", 0, ({ acks }) => acks.clients === 2);
    });

    test("the lock has one holder, and is free when its session ends", async () => {
      const [first, second] = await Promise.all([pods.connect(0), pods.connect(0)]);
      expect(await mysql.lock(first, "ordinal:uid-1", 500)).toEqual({ ok: true, value: null });
      expect(await mysql.lock(second, "ordinal:uid-1", 300)).toMatchObject({ failure: { kind: "conflict" } });
      await first.close();
      expect(await mysql.lock(second, "ordinal:uid-1", 2_000)).toEqual({ ok: true, value: null });
      await second.close();
    });

    test("statements whose session is given up are answered, also one that was not sent yet", async () => {
      const session = await pods.connect(0);
      const waiting = ["SELECT SLEEP(20)", "SELECT 1"].map((sql) => session.query(sql));
      await session.close();
      for (const answer of await Promise.all(waiting))
        expect(answer).toMatchObject({ ok: false, failure: { kind: "transient" } });
    });

    test("not one write failed meanwhile", async () => {
      const books = await workload.stop();
      const latencies = books.latenciesMs.toSorted((a, b) => a - b);
      const at = (share: number): number => Math.round(latencies[Math.floor(latencies.length * share)] ?? 0);
      console.log(
        `${books.acked.length} writes, median ${at(0.5)} ms, 99% ${at(0.99)} ms, longest ${at(0.9999)} ms, ` +
          `longest gap ${Math.round(books.longestGapMs)} ms`,
      );
      expect(failedWrites(books), JSON.stringify(books.failures)).toBe(0);
      expect(books.acked.length).toBeGreaterThan(1_000);
    });

    test("a restart comes back closed, following nobody, and is taken up again", async () => {
      await Promise.all([0, 1].map((ordinal) => pods.restart(ordinal)));
      const primary = await until("the primary", 0, ({ acks }) => !acks.required);
      expect(primary.readOnly).toBe(true);
      expect(await factsOf(1)).toMatchObject({
        readOnly: true,
        channel: { receiver: "off", applier: "off" },
      });
      await persist(1, (server) => mysql.follow(server, donor(1), "start"), accounts.control);
      await persist(0, (server) => mysql.arm(server, 1), accounts.control);
      await until("an acknowledger", 0, ({ acks }) => acks.clients > 0);
      await persist(0, (server) => mysql.open(server, { ...TERM, epoch: 2 }, 20_000), accounts.control);
      expect(await factsOf(0)).toMatchObject({ readOnly: false, acks: { required: true } });
    });

    test("handed over, they restart as an ordinary replication set-up, and can be managed again", async () => {
      await persist(0, (server) => mysql.handOver(server, "primary", 1), accounts.control);
      for (const ordinal of [1, 2]) {
        await persist(ordinal, (server) => mysql.handOver(server, "replica", 1), accounts.control);
      }
      await Promise.all([0, 1, 2].map((ordinal) => pods.restart(ordinal)));
      for (const ordinal of [1, 2]) {
        await until("it to follow by itself", ordinal, ({ channel }) => channel?.receiver === "on");
        expect(await factsOf(ordinal)).toMatchObject({ readOnly: true, acks: { active: true } });
      }
      const primary = await until("acknowledgers", 0, ({ acks }) => acks.clients === 2);
      expect(primary).toMatchObject({ readOnly: false, acks: { required: true, count: 1 } });
      for (const [ordinal, role] of [
        [0, "primary"],
        [1, "replica"],
      ] as const) {
        const want = desired(ordinal, role, []);
        const missing = mysql.rules.preparations(await factsOf(ordinal), want);
        expect(missing.map(({ kind }) => kind)).toEqual(["settings"]);
        for (const preparation of missing) {
          await persist(ordinal, (server) => mysql.prepare(server, preparation, accounts));
        }
        expect(mysql.rules.preparations(await factsOf(ordinal), want)).toEqual([]);
      }
    });
  },
);
