/** What a restart brings back, by role and by the user's wish, and when a server is told of it at all. */
import { describe, expect, test } from "vitest";
import { missingSettings } from "../../../shared/engines/mysql/settings.ts";
import type { DesiredMember } from "../../../shared/model/engine.ts";
import { facts as anyFacts } from "../../support/situation.ts";

function missing(desired: Partial<DesiredMember>, settings: Readonly<Record<string, string>> = {}) {
  const want = {
    ordinal: 3,
    role: "primary",
    ackCount: 2,
    resumes: false,
    ordinals: [],
    deletesLogs: null,
    takenNumbers: [],
  } as const;
  return missingSettings(anyFacts(3, { settings }), { ...want, ...desired });
}

describe("a primary that resumes by itself", () => {
  test("comes back open, and waits for as many acknowledgements as before", () => {
    expect(missing({ resumes: true }, { "persisted:super_read_only": "ON" })).toMatchObject({
      super_read_only: "reset",
      rpl_semi_sync_source_enabled: "persist-only ON",
      rpl_semi_sync_source_wait_for_replica_count: "persist-only 2",
    });
  });

  test("alone waits for nobody", () => {
    const alone = missing(
      { resumes: true, ackCount: 0 },
      { "persisted:rpl_semi_sync_source_wait_for_replica_count": "2" },
    );
    expect(alone["rpl_semi_sync_source_enabled"]).toBe("persist-only OFF");
    expect(alone["rpl_semi_sync_source_wait_for_replica_count"]).toBe("reset");
  });

  test("is the primary only: a replica comes back closed and requires nothing", () => {
    expect(missing({ resumes: true, role: "replica" })).toMatchObject({
      super_read_only: "persist ON",
      rpl_semi_sync_source_enabled: "persist OFF",
    });
  });

  test("is asked for: one that waits comes back closed and requires nothing until it is armed", () => {
    expect(missing({})).toMatchObject({
      super_read_only: "persist-only ON",
      rpl_semi_sync_source_enabled: "persist-only OFF",
    });
  });
});

test("old logs are the server's own business until it is said that they are kept, or no longer", () => {
  const name = "binlog_expire_logs_auto_purge";
  const off = { [name]: "OFF", [`persisted:${name}`]: "OFF" };
  expect(missing({ deletesLogs: null }, off)[name]).toBeUndefined();
  expect(missing({ deletesLogs: false }, { [name]: "ON" })[name]).toBe("persist OFF");
  expect(missing({ deletesLogs: false }, off)[name]).toBeUndefined();
  expect(missing({ deletesLogs: true }, off)[name]).toBe("persist ON");
});

describe("a server is told", () => {
  const changeOf = (settings: Readonly<Record<string, string>>, name: string) => missing({}, settings)[name];

  test("what is wrong now, and what would be wrong after a restart", () => {
    expect(changeOf({ sync_binlog: "1", "persisted:sync_binlog": "1" }, "sync_binlog")).toBeUndefined();
    expect(changeOf({ sync_binlog: "0", "persisted:sync_binlog": "1" }, "sync_binlog")).toBe("persist 1");
    expect(changeOf({ sync_binlog: "1" }, "sync_binlog")).toBe("persist 1");
    expect(changeOf({ sync_binlog: "1", "persisted:sync_binlog": "0" }, "sync_binlog")).toBe("persist 1");
    expect(changeOf({ "persisted:sync_binlog": "1" }, "sync_binlog")).toBe("persist 1");
  });

  test("of what only a restart brings, nothing that is in force", () => {
    const kept = { "persisted:relay_log_recovery": "OFF" };
    expect(changeOf({ ...kept, relay_log_recovery: "ON" }, "relay_log_recovery")).toBeUndefined();
    expect(changeOf({ relay_log_recovery: "OFF" }, "relay_log_recovery")).toBe("persist-only OFF");
  });

  test("nothing when it prints a switch in another way, or a word in other letters", () => {
    const printed = (text: string) =>
      changeOf({ offline_mode: text, "persisted:offline_mode": text }, "offline_mode");
    expect(["OFF", "0", "off", "ON", "1", ""].map(printed)).toEqual([
      ...[undefined, undefined, undefined],
      ...["persist OFF", "persist OFF", "persist OFF"],
    ]);
    const point = "rpl_semi_sync_source_wait_point";
    expect(changeOf({ [point]: "after_sync", [`persisted:${point}`]: "AFTER_SYNC" }, point)).toBeUndefined();
  });

  test("a number that no other member has, and none that every image begins with", () => {
    const number = (settings: Readonly<Record<string, string>>, takenNumbers: readonly string[]) =>
      missing({ takenNumbers }, settings)["server_id"];
    expect(number({}, [])).toBe("persist 103");
    expect(number({}, ["103", "1103"])).toBe("persist 2103");
    expect(number({ server_id: "9", "persisted:server_id": "9" }, ["8"])).toBeUndefined();
  });
});
