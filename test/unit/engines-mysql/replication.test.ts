/** What a replica is told, by the statements that reach it: whom to follow, and nothing that loses what it received. */
import { describe, expect, test } from "vitest";
import { acknowledge, awaitExecuted, executed, follow } from "../../../shared/engines/mysql/replication.ts";
import type { Peer } from "../../../shared/ports/engine.ts";
import type { Row } from "../../../shared/ports/server.ts";
import { row, scripted } from "./scripted.ts";

const peer: Peer = {
  host: "mysql-0.mysql",
  port: 3306,
  account: { username: "ordinal_repl_1", password: "R".repeat(32) },
};
/** It follows that one, and all is well. */
const FOLLOWING: Row = {
  ...{ host: "mysql-0.mysql", port: "3306", account: "ordinal_repl_1", auto_position: "1", tls: "YES" },
  ...{ receiver: "ON", applier: "ON", applied: "1", delay: "0" },
};
const CHANGE = `CHANGE REPLICATION SOURCE TO SOURCE_HOST = 'mysql-0.mysql', SOURCE_PORT = 3306, SOURCE_USER = 'ordinal_repl_1', SOURCE_PASSWORD = '${"R".repeat(32)}', SOURCE_SSL = 1, SOURCE_HEARTBEAT_PERIOD = 0.5, SOURCE_CONNECT_RETRY = 1, SOURCE_RETRY_COUNT = 0`;
const FULL = `${CHANGE}, SOURCE_AUTO_POSITION = 1, SOURCE_DELAY = 0`;
const CLOSE = ["SET GLOBAL super_read_only = ON", "SET GLOBAL offline_mode = OFF"];
const RECEIVER = ["STOP REPLICA IO_THREAD", CHANGE, "START REPLICA IO_THREAD"];

async function following(channel: Row | null, how: "full" | "receiver" | "start") {
  const { server, told } = scripted(channel === null ? [] : [row("AS delay", channel)]);
  const outcome = await follow(server, peer, how);
  return { outcome, told: told.filter((sql) => !sql.startsWith("SELECT")) };
}

describe("a server follows", () => {
  test("at first: closed before its threads start", async () => {
    expect((await following(null, "full")).told).toEqual([...CLOSE, FULL, "START REPLICA"]);
  });

  test("by what it was told before, when that stands", async () => {
    expect((await following(FOLLOWING, "start")).told).toEqual(["START REPLICA"]);
  });

  test("nobody else when all is well", async () => {
    for (const how of ["full", "receiver"] as const) {
      const { outcome, told } = await following(FOLLOWING, how);
      expect([outcome, told]).toEqual([{ ok: true, value: null }, []]);
    }
  });

  test.each([
    ["host", "mysql-2.mysql"],
    ["port", "3307"],
    ["account", "repl"],
    ["tls", "NO"],
    ["receiver", "CONNECTING"],
  ])("anew, its applier left running, when its %s is another", async (name, value) => {
    const { told } = await following({ ...FOLLOWING, [name]: value }, "full");
    expect(told).toEqual([...CLOSE, ...RECEIVER]);
  });

  test.each([
    ["is not by position", { auto_position: "0" }],
    ["is delayed", { host: "mysql-2.mysql", delay: "3600" }],
    ["is stopped", { applier: "OFF" }],
  ])("from the beginning when what it applies %s", async (_, more) => {
    const { told } = await following({ ...FOLLOWING, ...more }, "full");
    expect(told).toEqual([
      "STOP REPLICA IO_THREAD",
      "STOP REPLICA SQL_THREAD",
      ...CLOSE,
      FULL,
      "START REPLICA",
    ]);
  });

  test("only after it has executed what it received, which a change of its source would delete (INV-6)", async () => {
    const { outcome, told } = await following({ ...FOLLOWING, applier: "OFF", applied: "0" }, "full");
    expect(outcome).toMatchObject({ failure: { kind: "transient", retryAfterMs: 1_000 } });
    expect(told).toEqual(["STOP REPLICA IO_THREAD", "START REPLICA SQL_THREAD"]);
  });

  test("another one with its receiver alone, its applier started first", async () => {
    const elsewhere = { ...FOLLOWING, host: "mysql-2.mysql" };
    expect((await following(elsewhere, "receiver")).told).toEqual(RECEIVER);
    expect((await following({ ...elsewhere, applier: "OFF" }, "receiver")).told).toEqual([
      "START REPLICA SQL_THREAD",
      ...RECEIVER,
    ]);
    expect(await following(null, "receiver")).toMatchObject({
      outcome: { failure: { kind: "conflict" } },
      told: [],
    });
  });
});

describe("acknowledging", () => {
  const RECONNECT = ["STOP REPLICA IO_THREAD", "START REPLICA IO_THREAD"];
  const ON = { given: "1", active: "ON", kept: "ON", receiver: "ON" };
  const OFF = { given: "0", active: "OFF", kept: "OFF", receiver: "ON" };
  const wish = (word: string) => `SET PERSIST rpl_semi_sync_replica_enabled = ${word}`;

  test.each<[string, boolean, Row, readonly string[]]>([
    ["stands", true, ON, []],
    [
      "begins with a new connection, since a source learns of it only then",
      true,
      OFF,
      [wish("ON"), ...RECONNECT],
    ],
    ["is written down for a restart", true, { ...ON, kept: "OFF" }, [wish("ON"), ...RECONNECT]],
    ["is switched on", true, { ...ON, given: "0" }, [wish("ON"), ...RECONNECT]],
    ["needs a new connection only", true, { ...ON, active: "OFF" }, RECONNECT],
    ["needs a receiver", true, { ...ON, receiver: "OFF" }, RECONNECT],
    ["does not happen", false, OFF, []],
    ["does not happen without a receiver", false, { ...OFF, receiver: null }, []],
    ["ends with a new connection", false, ON, [wish("OFF"), ...RECONNECT]],
    ["ends on the old connection last", false, { ...OFF, active: "ON" }, RECONNECT],
    ["ends without starting a receiver that was stopped", false, { ...ON, receiver: "OFF" }, [wish("OFF")]],
    ["ends without a channel", false, { ...ON, receiver: null }, [wish("OFF")]],
  ])("%s", async (_, on, state, expected) => {
    const { server, told } = scripted([row("AS given", state)]);
    expect(await acknowledge(server, on)).toEqual({ ok: true, value: null });
    expect(told.slice(1)).toEqual(expected);
  });
});

test("what was executed is asked for, and waited for with a limit on both sides", async () => {
  const position = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-8";
  expect(await executed(scripted([row("gtid_executed", { executed: position })]).server)).toEqual({
    ok: true,
    value: position,
  });
  const { server, values, timeoutsMs } = scripted([row("AS late", { late: "0" })]);
  expect(await awaitExecuted(server, position, 1_500)).toEqual({ ok: true, value: null });
  expect([values, timeoutsMs]).toEqual([[[position, 1.5]], [3_500]]);
  const late = scripted([row("AS late", { late: "1" })]);
  expect(await awaitExecuted(late.server, position, 1_500)).toMatchObject({
    failure: { kind: "transient", message: expect.stringContaining("within 1500 ms") },
  });
});
