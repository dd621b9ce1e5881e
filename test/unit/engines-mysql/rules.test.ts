/** The rules of MySQL as tables: who is refused and why, what counts as empty, and what is prepared when. */
import { describe, expect, test } from "vitest";
import { rules } from "../../../shared/engines/mysql/rules.ts";
import { TABLE_NAMES } from "../../../shared/engines/mysql/schema.ts";
import { missingSettings, SETTINGS, settingStatement } from "../../../shared/engines/mysql/settings.ts";
import type { DesiredMember } from "../../../shared/model/engine.ts";
import type { ServerFacts } from "../../../shared/model/server.ts";

const UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
const OTHER = "2e11fa47-71ca-11e1-9e33-c80aa9429562";

const FRESH: ServerFacts["settings"] = {
  log_bin: "ON",
  log_replica_updates: "ON",
  binlog_format: "ROW",
  persisted_globals_load: "ON",
  performance_schema: "ON",
  gtid_mode: "ON",
  enforce_gtid_consistency: "ON",
  server_id: "1",
};

function facts(
  more: Partial<ServerFacts> = {},
  settings: Readonly<Record<string, string>> = {},
): ServerFacts {
  return {
    serverUuid: UUID,
    version: "9.7.4",
    flavor: "MySQL",
    startedAtMs: 0,
    nowMs: 0,
    readOnly: false,
    offline: false,
    executed: `${UUID}:1-8`,
    received: `${UUID}:1-8`,
    purged: "",
    channel: null,
    applyingSinceMs: null,
    followers: 0,
    ...{ logsKeptMs: null, deletesLogs: true, storedBytes: null },
    fullDiskMs: 0,
    acks: { required: false, count: 0, clients: 0, waiters: 0, waitingMs: 0, given: false, active: false },
    seeding: { kind: "none", bytes: 0, bytesExpected: 0, error: null },
    terms: [],
    archived: [],
    survey: { schemas: [] },
    settings: { ...FRESH, ...settings },
    ...more,
  };
}

const CHANNEL: NonNullable<ServerFacts["channel"]> = {
  sourceHost: "mysql-0.mysql",
  sourceUuid: OTHER,
  receiver: "on",
  applier: "on",
  account: "ordinal_repl_1",
  autoPosition: true,
  tls: true,
  silentMs: 0,
  sourceLeft: null,
  lockedOut: false,
  starved: false,
  receiverError: null,
  applierError: null,
};

function desired(more: Partial<DesiredMember> = {}): DesiredMember {
  return {
    ordinal: 0,
    role: "primary",
    ackCount: 1,
    resumes: false,
    ordinals: [0, 1],
    deletesLogs: null,
    takenNumbers: [],
    ...more,
  };
}

/** What the server says after all that was missing was done. */
function prepared(want: DesiredMember, start: ServerFacts = facts()): ServerFacts {
  const settings: Record<string, string> = { ...start.settings };
  for (const [name, change] of Object.entries(missingSettings(start, want))) {
    const [scope, value = ""] = change.split(" ");
    if (scope === "reset") delete settings[`persisted:${name}`];
    else settings[`persisted:${name}`] = value;
    if (scope === "persist") settings[name] = value;
  }
  for (const plugin of [
    "rpl_semi_sync_source_enabled",
    "rpl_semi_sync_replica_enabled",
    "clone_valid_donor_list",
  ]) {
    settings[plugin] ??= "OFF";
  }
  for (const name of ["ordinal", "ordinal_repl_0", "ordinal_repl_1"]) {
    settings[`account:${name}`] = '{"ordinal": {"grants": 3, "password": "x"}}';
  }
  for (const table of TABLE_NAMES) settings[`table:${table}`] = "present";
  return { ...start, settings };
}

function kinds(have: ServerFacts, want: DesiredMember): readonly string[] {
  return rules.preparations(have, want).map(({ kind, parameters }) => parameters["stage"] ?? kind);
}

describe("who is refused", () => {
  test.each([
    ["MariaDB", facts({ flavor: "MariaDB", version: "11.4.3-MariaDB" }), "EngineMismatch", "MariaDB 11.4.3"],
    ["5.7", facts({ version: "5.7.44" }), "UnsupportedVersion", "8.4 or later"],
    ["8.0", facts({ version: "8.0.46-1debian" }), "UnsupportedVersion", "8.4 or later"],
    ["no binary log", facts({}, { log_bin: "OFF" }), "UnsupportedSettings", "binary log"],
    [
      "replicas that do not log",
      facts({}, { log_replica_updates: "OFF" }),
      "UnsupportedSettings",
      "log_replica",
    ],
    ["statements in the log", facts({}, { binlog_format: "MIXED" }), "UnsupportedSettings", "ROW"],
    ["nothing persisted", facts({}, { persisted_globals_load: "OFF" }), "UnsupportedSettings", "survive"],
    ["nothing to observe", facts({}, { performance_schema: "OFF" }), "UnsupportedSettings", "observed"],
    ["a group", facts({}, { group_replication_group_name: UUID }), "UnsupportedSettings", "Group"],
    ["two channels", facts({}, { other_channels: "east" }), "UnsupportedSettings", "default channel"],
    [
      "a replica without GTIDs",
      facts({ channel: CHANNEL }, { gtid_mode: "OFF" }),
      "UnsupportedSettings",
      "GTIDs",
    ],
    ["a source without GTIDs", facts({ followers: 1 }, { gtid_mode: "OFF" }), "UnsupportedSettings", "GTIDs"],
  ])("%s", (_, have, code, words) => {
    const refusal = rules.unsupported(have);
    expect(refusal?.code).toBe(code);
    expect(refusal?.message).toContain(words);
    expect(refusal?.message.length).toBeLessThanOrEqual(200);
  });

  test.each([
    ["9.7.4", facts()],
    ["8.4.0", facts({ version: "8.4.0" })],
    ["10.0", facts({ version: "10.0.1" })],
    ["a single server without GTIDs", facts({}, { gtid_mode: "OFF" })],
    ["a group's plugin without a group", facts({}, { group_replication_group_name: "" })],
  ])("not %s", (_, have) => {
    expect(rules.unsupported(have)).toBeNull();
  });
});

describe("as empty as its image made it", () => {
  test.each([
    ["a fresh volume", facts(), true],
    ["32 transactions of its own", facts({ executed: `${UUID}:1-32` }), true],
    ["33", facts({ executed: `${UUID}:1-33` }), false],
    ["one of somebody else", facts({ executed: `${OTHER}:1,\n${UUID}:1-8` }), false],
    ["a schema", facts({ survey: { schemas: ["shop"] } }), false],
    ["nobody has looked", facts({ survey: null }), false],
    ["it follows somebody", facts({ channel: CHANNEL }), false],
  ])("%s: %s", (_, have, empty) => {
    expect(rules.initialOnly(have)).toBe(empty);
  });
});

describe("what is prepared", () => {
  test.each([
    ["a primary", desired(), ["plugins", "settings", "tables", "accounts"]],
    ["an unseeded member", desired({ role: "unseeded", ordinal: 1 }), ["plugins", "settings"]],
    ["a replica", desired({ role: "replica", ordinal: 1 }), ["plugins", "settings"]],
  ])("%s, and then nothing more", (_, want, expected) => {
    expect(kinds(facts(), want)).toEqual(expected);
    expect(kinds(prepared(want), want)).toEqual([]);
  });

  test("a cluster of a version that had fewer tables gets the others, and nothing else", () => {
    const have = prepared(desired());
    const { "table:tail": _, "table:archive": __, ...older } = have.settings;
    expect(rules.preparations({ ...have, settings: older }, desired())).toEqual([
      {
        kind: "tables",
        text: "Create tables: ordinal.tail, ordinal.archive",
        parameters: { names: "tail,archive" },
      },
    ]);
    expect(kinds({ ...have, settings: older, readOnly: true }, desired())).toEqual([]);
  });

  test("a closed primary gets its tables and accounts after it was opened", () => {
    expect(kinds(facts({ readOnly: true }), desired())).toEqual(["plugins", "settings"]);
  });

  test("a new member's account is made on the primary", () => {
    const [accounts] = rules.preparations(prepared(desired()), desired({ ordinals: [0, 1, 2] }));
    expect(accounts).toMatchObject({ kind: "accounts", parameters: { ordinals: "0,1,2" } });
    expect(accounts?.text).toBe("Create accounts: ordinal_repl_2");
  });

  test("accounts of another version, and those that are not ours, are made again", () => {
    for (const attribute of ['{"ordinal": {"grants": 1, "password": "x"}}', "{}", "null", "no JSON"]) {
      const { settings, ...rest } = prepared(desired());
      const have = { ...rest, settings: { ...settings, "account:ordinal": attribute } };
      expect(kinds(have, desired())).toEqual(["accounts"]);
    }
  });

  test("each is told in a sentence for people", () => {
    const texts = (have: ServerFacts) => rules.preparations(have, desired()).map(({ text }) => text);
    const { settings, ...rest } = prepared(desired());
    const { clone_valid_donor_list: _, rpl_semi_sync_replica_enabled: __, ...without } = settings;
    expect(texts({ ...rest, settings: without })).toContain("Install plugins: rpl_semi_sync_replica, clone");
    const lax = { ...settings, sync_binlog: "0", innodb_flush_log_at_trx_commit: "2" };
    expect(texts({ ...rest, settings: lax }).join()).toMatch(
      /^Change settings: (?:sync_binlog|innodb_flush_log_at_trx_commit) \(persist 1\), (?:sync_binlog|innodb_flush_log_at_trx_commit) \(persist 1\)$/,
    );
    const anonymous = facts({}, { gtid_mode: "OFF", enforce_gtid_consistency: "OFF" });
    expect(texts(prepared(desired(), anonymous))).toEqual([
      "Have statements logged that GTIDs would not permit",
      "Permit only statements that GTIDs can replicate",
      "Accept transactions with GTIDs",
      "Give new transactions GTIDs",
      "Require GTIDs, once no transaction without one is under way",
    ]);
  });

  test.each([
    ["OFF", "OFF", ["warn", "enforce", "off-permissive", "on-permissive", "on"]],
    ["OFF", "WARN", ["enforce", "off-permissive", "on-permissive", "on"]],
    ["OFF_PERMISSIVE", "ON", ["on-permissive", "on"]],
    ["ON_PERMISSIVE", "ON", ["on"]],
    ["ON", "ON", []],
  ])("GTIDs from mode %s and consistency %s", (mode, consistency, stages) => {
    const have = facts({}, { gtid_mode: mode, enforce_gtid_consistency: consistency });
    expect(kinds(prepared(desired(), have), desired())).toEqual(stages);
  });
});

describe("settings", () => {
  const changeOf = (name: string, want: DesiredMember, have = facts()): string | undefined =>
    missingSettings(have, want)[name];

  test.each([
    ["unique already", "7", ["1", "2"], undefined],
    ["the images' common one", "1", ["1"], "persist 103"],
    ["none", "0", [], "persist 103"],
    ["ours is taken by another", "1", ["1", "103"], "persist 1103"],
  ])("server number, %s", (_, current, takenNumbers, change) => {
    const have = facts({}, { server_id: current, "persisted:server_id": current });
    expect(changeOf("server_id", desired({ ordinal: 3, takenNumbers }), have)).toBe(change);
  });

  test.each([
    ["a primary with replicas restarts closed", desired(), "persist-only ON"],
    ["a replica is closed now and after a restart", desired({ role: "replica" }), "persist ON"],
    ["so is an unseeded member", desired({ role: "unseeded" }), "persist ON"],
    ["a single primary restarts open", desired({ ackCount: 0 }), "reset"],
  ])("%s", (_, want, change) => {
    const have = facts({}, { "persisted:super_read_only": change === "reset" ? "ON" : "OFF" });
    expect(changeOf("super_read_only", want, have)).toBe(change);
  });

  test("requiring acknowledgements is never switched off on a running primary", () => {
    const armed = facts({}, { rpl_semi_sync_source_enabled: "ON" });
    expect(changeOf("rpl_semi_sync_source_enabled", desired(), armed)).toBe("persist-only OFF");
    expect(changeOf("rpl_semi_sync_source_enabled", desired({ role: "replica" }), armed)).toBe("persist OFF");
  });

  test("the order of commits is left alone while the applier runs", () => {
    const want = desired({ role: "replica" });
    expect(changeOf("replica_preserve_commit_order", want, facts({ channel: CHANNEL }))).toBe(
      "persist-only ON",
    );
    expect(changeOf("replica_preserve_commit_order", want)).toBe("persist ON");
  });

  test.each(["ON", "1", "on"])("a switch may be printed as %s", (printed) => {
    const have = facts({}, { "persisted:skip_replica_start": printed });
    expect(changeOf("skip_replica_start", desired(), have)).toBeUndefined();
  });

  test("every change that can be asked for becomes a statement of constants", () => {
    for (const role of ["primary", "replica", "unseeded"] as const) {
      for (const ackCount of [0, 1]) {
        const have = facts({}, { "persisted:super_read_only": "OFF" });
        for (const [name, change] of Object.entries(missingSettings(have, desired({ role, ackCount })))) {
          expect(settingStatement(name, change)).toMatch(
            /^(SET PERSIST|SET PERSIST_ONLY) [a-z_]+ = (ON|OFF|AFTER_SYNC|\d+)$|^RESET PERSIST IF EXISTS [a-z_]+$/,
          );
        }
      }
    }
    expect(SETTINGS.length).toBeGreaterThan(0);
  });

  test.each([
    ["sync_binlog", "persist 1; DROP TABLE t"],
    ["sync_binlog", "now 1"],
    ["sync_binlog", "not persist 1"],
    ["sync_binlog", ""],
    ["init_connect", "persist 1"],
  ])("%s = %s is nothing we would ever say", (name, change) => {
    expect(() => settingStatement(name, change)).toThrow("assertion failed");
  });
});
