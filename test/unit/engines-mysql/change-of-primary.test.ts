/** What is asked of servers while the primary changes, by the statements that reach them. */
import { describe, expect, test } from "vitest";
import {
  demote,
  fence,
  promote,
  restart,
  stopReceiving,
} from "../../../shared/engines/mysql/change-of-primary.ts";
import type { Row } from "../../../shared/ports/server.ts";
import { type Answer, row, scripted } from "./scripted.ts";

const RECEIVED = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-9";
/** It stopped receiving, and what it received is executed. */
const STOPPED: Row = {
  ...{ receiver: "OFF", applier: "ON", received: RECEIVED, applied: "1", applying: "0", closed: "1" },
};

function saying(more: Row, ...answers: readonly Answer[]) {
  const { server, told, values, timeoutsMs } = scripted([
    row("AS applying", { ...STOPPED, ...more }),
    ...answers,
  ]);
  const changes = () => told.filter((sql) => !sql.startsWith("SELECT"));
  return { server, changes, values, timeoutsMs };
}

test("a primary is put out: applications first, closed also after a restart, then closed now", async () => {
  const { server, told } = scripted([]);
  expect(await fence(server)).toEqual({ ok: true, value: null });
  expect(told).toEqual([
    "SET GLOBAL offline_mode = ON",
    "SET PERSIST_ONLY super_read_only = ON",
    "SET GLOBAL super_read_only = ON",
  ]);
});

test("one that hands over is closed, also after a restart, and goes on serving its acknowledgers", async () => {
  const { server, told } = scripted([]);
  expect(await demote(server)).toEqual({ ok: true, value: null });
  expect(told).toEqual(["SET PERSIST_ONLY super_read_only = ON", "SET GLOBAL super_read_only = ON"]);
});

describe("an acknowledger stops receiving", () => {
  const STOP = "STOP REPLICA IO_THREAD";

  test.each<[string, Row, readonly string[]]>([
    ["and goes on executing", { receiver: "ON" }, [STOP]],
    ["whatever is left to execute", { receiver: "ON", applied: "0" }, [STOP]],
    ["with an applier that stands and has nothing left", { applier: "OFF" }, [STOP]],
    [
      "and executes what it has, though its applier stood",
      { applier: "OFF", applied: "0" },
      [STOP, "START REPLICA SQL_THREAD"],
    ],
  ])("%s", async (_, more, expected) => {
    const { server, changes } = saying(more);
    expect(await stopReceiving(server)).toEqual({ ok: true, value: null });
    expect(changes()).toEqual(expected);
  });

  test("when it has a source at all", async () => {
    const { server, told } = scripted([]);
    expect(await stopReceiving(server)).toEqual({ ok: true, value: null });
    expect(told).toHaveLength(1);
  });
});

describe("the next primary", () => {
  const RELEASE = ["STOP REPLICA SQL_THREAD", "RESET REPLICA ALL"];
  const notLate = row("AS late", { late: "0" });
  const thread = row("replica_sql", { id: "7" });

  test.each<[string, Row, readonly Answer[], readonly string[]]>([
    ["lets go of its source", {}, [], RELEASE],
    [
      "executes what it received, though its applier stood",
      { applier: "OFF", applied: "0" },
      [],
      ["START REPLICA SQL_THREAD", ...RELEASE],
    ],
    ["ends a part of a transaction", { applying: "1" }, [thread], ["KILL ?", ...RELEASE]],
    ["has no part of one while its applier stands", { applying: "1", applier: "OFF" }, [thread], RELEASE],
    ["has no applier to end", { applying: "1" }, [], RELEASE],
  ])("%s", async (_, more, answers, expected) => {
    const { server, changes } = saying(more, notLate, ...answers);
    expect(await promote(server, 1_500)).toEqual({ ok: true, value: null });
    expect(changes()).toEqual(expected);
  });

  test("waits for all that it received, with a limit on both sides", async () => {
    const { server, values, timeoutsMs } = saying({ applying: "1" }, notLate, thread);
    await promote(server, 1_500);
    expect([values[1], timeoutsMs[1]]).toEqual([[RECEIVED, 1.5], 3_500]);
    expect(values[4]).toEqual([7]);
    const late = saying({}, row("AS late", { late: "1" }));
    expect(await promote(late.server, 1_500)).toMatchObject({
      failure: { kind: "transient", message: expect.stringContaining("executed") },
    });
    expect(late.changes()).toEqual([]);
  });

  test("is one already when it has no source", async () => {
    const { server, told } = scripted([]);
    expect(await promote(server, 1_500)).toEqual({ ok: true, value: null });
    expect(told).toHaveLength(1);
  });

  test.each<[string, Row, string]>([
    ["receives", { receiver: "ON" }, "receives"],
    ["is about to receive", { receiver: "CONNECTING" }, "receives"],
    ["takes writes", { closed: "0" }, "writes"],
  ])("is none while it %s", async (_, more, words) => {
    const { server, changes } = saying(more, notLate);
    expect(await promote(server, 1_500)).toMatchObject({
      failure: { kind: "conflict", message: expect.stringContaining(words) },
    });
    expect(changes()).toEqual([]);
  });
});

test("a server is ended only while nobody could be answered OK by it", async () => {
  const out = scripted([row("offline_mode", { offline: "1" })]);
  expect(await restart(out.server)).toEqual({ ok: true, value: null });
  expect(out.told.at(-1)).toBe("SHUTDOWN");
  const serving = scripted([row("offline_mode", { offline: "0" })]);
  expect(await restart(serving.server)).toMatchObject({
    failure: { kind: "conflict", message: expect.stringContaining("lets applications in") },
  });
  expect(serving.told).toHaveLength(1);
});
