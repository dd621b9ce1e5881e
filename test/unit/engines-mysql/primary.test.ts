/** What a primary is told about acknowledgements, and when it is opened (INV-5): by the statements that reach it. */
import { describe, expect, test } from "vitest";
import { arm, handOver, lockAccount, nudge, open } from "../../../shared/engines/mysql/primary.ts";
import type { Row } from "../../../shared/ports/server.ts";
import { type Answer, row, type Scripted, scripted } from "./scripted.ts";

const STRICT = {
  ...{ required: "1", count: "1", point: "AFTER_SYNC", unattended: "1", timeout: "4294967295" },
  ...{ clients: "1", waiters: "0", receiving: "0", closed: "1", offline: "0" },
};
const LAX: readonly (readonly [string, Row])[] = [
  ["acknowledged after the commit is visible", { point: "AFTER_COMMIT" }],
  ["which goes on alone when no replica is there", { unattended: "0" }],
  ["which goes on alone after a while", { timeout: "4294967294" }],
];
const armingWith = (count: number) => [
  "SET GLOBAL rpl_semi_sync_source_timeout = 4294967295, GLOBAL rpl_semi_sync_source_wait_no_replica = ON, " +
    "GLOBAL rpl_semi_sync_source_wait_point = AFTER_SYNC, " +
    `GLOBAL rpl_semi_sync_source_wait_for_replica_count = ${count}, GLOBAL rpl_semi_sync_source_enabled = ON`,
];

function saying(more: Row): Scripted {
  return scripted([row("AS unattended", { ...STRICT, ...more })]);
}

/** What it was told after it was asked. */
function changes({ told }: Scripted): readonly string[] {
  return told.filter((sql) => !sql.includes("SLEEP")).slice(1);
}

describe("acknowledgements are required", () => {
  test("by nothing more where they are already, and anew where a commit could go on without", async () => {
    const strict = saying({});
    expect(await arm(strict.server, 1)).toEqual({ ok: true, value: null });
    expect(changes(strict)).toEqual([]);
    for (const [, more] of LAX) {
      const lax = saying(more);
      expect(await arm(lax.server, 1)).toMatchObject({ ok: true });
      expect(changes(lax)).toEqual(armingWith(1));
    }
  });

  test("in a greater or smaller number while commits wait, and by nobody only when none does", async () => {
    const raised = saying({ waiters: "3" });
    expect(await arm(raised.server, 2)).toMatchObject({ ok: true });
    expect(changes(raised)).toEqual(armingWith(2));
    const waiting = saying({ count: "2", waiters: "3" });
    expect(await arm(waiting.server, 0)).toMatchObject({
      failure: { kind: "transient", message: expect.stringContaining("3 commits wait") },
    });
    expect(changes(waiting)).toEqual([]);
    const lowered = saying({ count: "2", waiters: "3" });
    expect(await arm(lowered.server, 1)).toMatchObject({ ok: true });
    expect(changes(lowered)).toEqual(armingWith(1));
    const idle = saying({ count: "2" });
    expect(await arm(idle.server, 1)).toMatchObject({ ok: true });
    expect(changes(idle)).toEqual(armingWith(1));
  });

  test("of nobody any more once it is switched off", async () => {
    const single = saying({});
    expect(await arm(single.server, 0)).toMatchObject({ ok: true });
    expect(changes(single)).toEqual(["SET GLOBAL rpl_semi_sync_source_enabled = OFF"]);
    const already = saying({ required: "0", waiters: "1" });
    expect(await arm(already.server, 0)).toMatchObject({ ok: true });
    expect(changes(already)).toEqual([]);
  });

  test("of an open server only while enough acknowledgers are connected, of a closed one always", async () => {
    const few = saying({ required: "0", closed: "0", clients: "0" });
    expect(await arm(few.server, 1)).toMatchObject({
      failure: { kind: "conflict", message: expect.stringContaining("every write would wait") },
    });
    expect(changes(few)).toEqual([]);
    for (const more of [
      { closed: "0", clients: "1" },
      { clients: "0" },
      { required: "1", closed: "0", clients: "0", point: "" },
    ]) {
      const enough = saying({ required: "0", ...more });
      expect(await arm(enough.server, 1)).toMatchObject({ ok: true });
      expect(changes(enough)).toEqual(armingWith(1));
    }
  });
});

describe("it is opened", () => {
  const term = { epoch: 4, clusterUid: "uid", opId: "failover-4", at: "2026-11-23T10:00:00.000Z" };
  const opening = (of: Scripted, ackCount = 1) => open(of.server, { ...term, ackCount }, 5_000);

  test("closed and offline: its log is cut, it is opened, the lock is given back, then the term is committed", async () => {
    const server = saying({ offline: "1" });
    expect(await opening(server)).toEqual({ ok: true, value: null });
    expect(changes(server).slice(0, -2)).toEqual([
      "FLUSH BINARY LOGS",
      "SET GLOBAL read_only = OFF",
      "SET GLOBAL offline_mode = OFF",
      "SELECT RELEASE_ALL_LOCKS() AS released",
    ]);
    expect(server.told.at(-2)).toContain("INSERT INTO ordinal.term");
    expect(server.values.at(-2)).toEqual([4, "uid", "failover-4", term.at]);
    expect(server.timeoutsMs.at(-2)).toBe(5_000);
    // And it answers once more, as no server does that is being stopped.
    expect(server.told.at(-1)).toBe(server.told[0]);
  });

  test("again, when it is open: only the term is committed", async () => {
    const server = saying({ closed: "0" });
    expect(await opening(server)).toMatchObject({ ok: true });
    expect(changes(server)).toHaveLength(3);
  });

  test("and not believed to be when acknowledgements were switched off while its term waited for them", async () => {
    let told = 0;
    const off: Answer = (sql) => {
      if (!sql.includes("AS unattended")) return null;
      told += 1;
      return [{ ...STRICT, required: told === 1 ? "1" : "0" }];
    };
    expect(await opening(scripted([off]))).toMatchObject({ failure: { kind: "transient" } });
  });

  test.each([
    [1, 0],
    [2, 3],
  ])("for %i acknowledgements after %i looks at who has registered", async (ackCount, looks) => {
    let looked = 0;
    const registering: Answer = (sql) => {
      if (!sql.includes("SLEEP")) return null;
      looked += 1;
      return [{ clients: String(looked - 1) }];
    };
    const facts: Answer = (sql) =>
      sql.includes("AS unattended") ? [{ ...STRICT, count: String(ackCount) }] : null;
    const server = scripted([registering, facts]);
    expect(await opening(server, ackCount)).toEqual({ ok: true, value: null });
    expect(looked).toBe(looks);
    expect(server.told.findIndex((sql) => sql.includes("AS unattended"))).toBe(looks);
  });

  test("also when those do not come that it needs: its term waits for them then", async () => {
    const nobody: Answer = (sql) => (sql.includes("SLEEP") ? [{ clients: "1" }] : null);
    const facts: Answer = (sql) => (sql.includes("AS unattended") ? [{ ...STRICT, count: "2" }] : null);
    const server = scripted([nobody, facts]);
    expect(await opening(server, 2)).toEqual({ ok: true, value: null });
    expect(server.told.filter((sql) => sql.includes("SLEEP"))).toHaveLength(50);
  });

  test.each<readonly [string, Row, number, string]>([
    ["receives from another one", { receiving: "1" }, 1, "receives"],
    ["requires no acknowledgements", { required: "0" }, 1, "does not require"],
    ["requires too few", {}, 2, "does not require"],
    ["requires them, and nobody is recorded who gives them", {}, 0, "nobody is recorded"],
    ...LAX.map(([name, more]) => [`commits in a way ${name}`, more, 1, "does not require"] as const),
  ])("not while it %s", async (_, more, ackCount, words) => {
    const server = saying(more);
    expect(await opening(server, ackCount)).toMatchObject({
      failure: { kind: "conflict", message: expect.stringContaining(words) },
    });
    expect(changes(server)).toEqual([]);
  });

  test("with more acknowledgements than are asked for, and alone with none", async () => {
    expect(await opening(saying({ count: "2" }))).toMatchObject({ ok: true });
    expect(await opening(saying({ required: "0" }), 0)).toMatchObject({ ok: true });
  });
});

test("a nudge gives the lock back first and has a limit of its own", async () => {
  const { server, told, timeoutsMs } = scripted([]);
  expect(await nudge(server, 700)).toEqual({ ok: true, value: null });
  expect(told[0]).toContain("RELEASE_ALL_LOCKS");
  expect(told[1]).toContain("INSERT INTO ordinal.heartbeat");
  expect(timeoutsMs).toEqual([undefined, 700]);
});

describe("an account", () => {
  const sessions = row("PROCESSLIST_USER", { id: "7" });

  test("is locked before its sessions are ended, and none of it is logged", async () => {
    const { server, told, values } = scripted([sessions]);
    expect(await lockAccount(server, "ordinal_repl_1", true)).toEqual({ ok: true, value: null });
    expect(told.map((sql) => sql.slice(0, 45))).toEqual([
      "SET SESSION sql_log_bin = OFF",
      "ALTER USER 'ordinal_repl_1'@'%' ACCOUNT LOCK",
      "SET SESSION sql_log_bin = ON",
      expect.stringContaining("SELECT PROCESSLIST_ID"),
      "KILL ?",
    ]);
    expect(values.slice(3)).toEqual([["ordinal_repl_1"], [7]]);
  });

  test("is unlocked without touching any session", async () => {
    const { server, told } = scripted([sessions]);
    expect(await lockAccount(server, "ordinal_repl_1", false)).toEqual({ ok: true, value: null });
    expect(told.slice(1)).toEqual([
      "ALTER USER 'ordinal_repl_1'@'%' ACCOUNT UNLOCK",
      "SET SESSION sql_log_bin = ON",
    ]);
  });
});

describe("handed over,", () => {
  test("a primary comes back from a restart waiting for its acknowledgements, and only then writable", async () => {
    const { server, told } = scripted([]);
    await handOver(server, "primary", 2);
    expect(told).toEqual([
      "SET PERSIST_ONLY rpl_semi_sync_source_wait_for_replica_count = 2",
      "SET PERSIST_ONLY rpl_semi_sync_source_enabled = ON",
      "RESET PERSIST IF EXISTS super_read_only",
      "SET PERSIST_ONLY skip_replica_start = OFF",
    ]);
  });

  test("a primary that nobody acknowledges waits for nobody", async () => {
    const { server, told } = scripted([]);
    await handOver(server, "primary", 0);
    expect(told[0]).toBe("RESET PERSIST IF EXISTS rpl_semi_sync_source_enabled");
    expect(told).toHaveLength(3);
  });

  test("a replica comes back closed and replicates by itself", async () => {
    const { server, told } = scripted([]);
    await handOver(server, "replica", 2);
    expect(told).toEqual([
      "SET PERSIST_ONLY skip_replica_start = OFF",
      "SET PERSIST_ONLY super_read_only = ON",
    ]);
  });
});
