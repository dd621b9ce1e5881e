/** What is made of a server's answers: each fact from where it stands, and the cautious reading of what is missing. */
import { describe, expect, test } from "vitest";
import { observe } from "../../../shared/engines/mysql/observe.ts";
import type { Outcome } from "../../../shared/model/outcome.ts";
import type { ServerFacts } from "../../../shared/model/server.ts";
import type { Row } from "../../../shared/ports/server.ts";
import { type Answer, failingAt, row, type Scripted, scripted } from "./scripted.ts";

const UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
const OTHER = "2e11fa47-71ca-11e1-9e33-c80aa9429562";

/** A replica in good order. */
const FLAGS: Readonly<Record<string, string>> = {
  server_uuid: UUID,
  version: "9.7.4",
  version_comment: "MySQL Community Server - GPL",
  read_only: "ON",
  offline_mode: "OFF",
  binlog_expire_logs_seconds: "604800",
  binlog_expire_logs_auto_purge: "ON",
  "status:Uptime": "100",
  now: "1700000000.250000",
  rpl_semi_sync_source_enabled: "OFF",
  rpl_semi_sync_source_wait_for_replica_count: "2",
  rpl_semi_sync_replica_enabled: "ON",
  "status:Rpl_semi_sync_source_clients": "3",
  "status:Rpl_semi_sync_source_wait_sessions": "4",
  "status:Rpl_semi_sync_replica_status": "ON",
};
const CHANNEL = {
  ...{ name: "", host: "mysql-0.mysql", account: "ordinal_repl_1", autoPosition: "1", tls: "YES" },
  ...{ sourceUuid: OTHER, receiver: "ON", receiverNumber: 0, receiverError: "", applier: "ON" },
  ...{ received: `${OTHER}:9`, silentMs: null, sourceLeft: null, applierError: null, applyingSince: null },
};
const SECOND: Row = {
  executed: `${OTHER}:1-8`,
  purged: `${OTHER}:1-2`,
  waiting: "5",
  fullDisk: "7",
  followers: "1",
};

interface Saying {
  readonly flags?: Readonly<Record<string, string>>;
  readonly channels?: readonly object[];
  readonly second?: Row;
}

function server(
  { flags = {}, channels = [CHANNEL], second = {} }: Saying,
  ...first: readonly Answer[]
): Scripted {
  return scripted([
    ...first,
    row("AS flags", { flags: JSON.stringify({ ...FLAGS, ...flags }), channels: JSON.stringify(channels) }),
    row("AS executed", { ...SECOND, ...second }),
  ]);
}

function value(outcome: Outcome<ServerFacts>): ServerFacts {
  if (!outcome.ok) throw new Error(outcome.failure.message);
  return outcome.value;
}

async function facts(saying: Saying = {}): Promise<ServerFacts> {
  return value(await observe(server(saying).server, { survey: false }));
}

test("a replica in good order", async () => {
  const { settings, ...rest } = await facts();
  expect(rest).toEqual({
    ...{ serverUuid: UUID, version: "9.7.4", flavor: "MySQL" },
    ...{ startedAtMs: 1_699_999_900_000, nowMs: 1_700_000_000_250, readOnly: true, offline: false },
    ...{ executed: `${OTHER}:1-8`, received: `${OTHER}:1-9`, purged: `${OTHER}:1-2` },
    channel: {
      ...{ sourceHost: "mysql-0.mysql", sourceUuid: OTHER, receiver: "on", applier: "on" },
      ...{
        account: "ordinal_repl_1",
        autoPosition: true,
        tls: true,
        silentMs: 0,
        sourceLeft: null,
        lockedOut: false,
        starved: false,
      },
      ...{ receiverError: null, applierError: null },
    },
    ...{ applyingSinceMs: null, followers: 1, fullDiskMs: 7_000 },
    ...{ logsKeptMs: 604_800_000, deletesLogs: true, storedBytes: null },
    acks: { required: false, count: 2, clients: 3, waiters: 4, waitingMs: 5_000, given: true, active: true },
    seeding: { kind: "none", bytes: 0, bytesExpected: 0, error: null },
    ...{ terms: [], archived: [], survey: null },
  });
  expect(settings).toEqual(FLAGS);
});

test("a server that nobody replicates with, without plugins: nothing is required, given or waited for", async () => {
  const flags = { server_uuid: UUID, version: "9.7.4", read_only: "OFF", offline_mode: "ON" };
  const { server: plain } = scripted([
    row("AS flags", { flags: JSON.stringify(flags), channels: null }),
    row("AS executed", { executed: `${UUID}:1-8`, purged: "", waiting: null, followers: "0" }),
  ]);
  expect(value(await observe(plain, { survey: false }))).toMatchObject({
    ...{ readOnly: false, offline: true, executed: `${UUID}:1-8`, received: `${UUID}:1-8`, channel: null },
    acks: { required: false, count: 0, clients: 0, waiters: 0, waitingMs: 0, given: false, active: false },
    ...{ followers: 0, applyingSinceMs: null, startedAtMs: 0, nowMs: 0 },
  });
});

test("what requires acknowledgements says so", async () => {
  const armed = await facts({ flags: { rpl_semi_sync_source_enabled: "ON" } });
  expect(armed.acks.required).toBe(true);
});

describe("a channel", () => {
  const channel = async (more: object) => (await facts({ channels: [{ ...CHANNEL, ...more }] })).channel;

  test.each([
    [{ receiver: "CONNECTING" }, { receiver: "connecting" }],
    [{ receiver: "OFF" }, { receiver: "off" }],
    [{ receiver: "later" }, { receiver: "off" }],
    [{ applier: "OFF" }, { applier: "off" }],
    [{ autoPosition: "0" }, { autoPosition: false }],
    [{ tls: "NO" }, { tls: false }],
    [{ sourceUuid: "" }, { sourceUuid: null }],
    [{ silentMs: 2_345 }, { silentMs: 2_345 }],
    // The clock of the server was set back.
    [{ silentMs: -5 }, { silentMs: 0 }],
    [{ sourceLeft: "MY-010557" }, { sourceLeft: "cut" }],
    [{ sourceLeft: "MY-010558" }, { sourceLeft: "orderly" }],
    [{ sourceLeft: "MY-014002" }, { sourceLeft: null }],
    [{ applierError: "" }, { applierError: null }],
    [{ applierError: "duplicate key" }, { applierError: "duplicate key" }],
    [
      { receiverNumber: 3118, receiverError: "locked" },
      { lockedOut: true, receiverError: "locked (3118)" },
    ],
    [
      { receiverNumber: 2003, receiverError: "nobody there" },
      { lockedOut: false, receiverError: "nobody there (2003)" },
    ],
  ])("%j is %j", async (said, meant) => {
    expect(await channel(said)).toMatchObject(meant);
  });

  test("that applies says since when; 0 is not known", async () => {
    const since = async (applyingSince: unknown) =>
      (await facts({ channels: [{ ...CHANNEL, applyingSince }] })).applyingSinceMs;
    expect(await since(1_700_000_000.5)).toBe(1_700_000_000_500);
    expect(await since(0)).toBeNull();
  });

  test("with a name is not ours, and is told", async () => {
    const east = { ...CHANNEL, name: "east" };
    const only = await facts({ channels: [east, { ...east, name: "west" }] });
    expect(only.channel).toBeNull();
    expect(only.received).toBe(only.executed);
    expect(only.settings["other_channels"]).toBe("east, west");
    const both = await facts({ channels: [east, CHANNEL] });
    expect(both.channel?.sourceHost).toBe("mysql-0.mysql");
    expect(both.settings["other_channels"]).toBe("east");
  });
});

describe("what a server may have", () => {
  const asked = async (flags: Readonly<Record<string, string>>) => {
    const { server: of, told } = server({ flags });
    await observe(of, { survey: false });
    return ["AS terms", "AS archived", "AS seeding"].filter((part) => told[1]?.includes(part));
  };

  test("is asked for only where it is there, since else the whole answer would fail", async () => {
    expect(await asked({})).toEqual([]);
    expect(await asked({ "table:term": "present" })).toEqual(["AS terms"]);
    expect(await asked({ "table:archive": "present" })).toEqual(["AS archived"]);
    expect(await asked({ clone_valid_donor_list: "" })).toEqual(["AS seeding"]);
  });

  test("are rows of ours and the accounts' attributes", async () => {
    const term = { epoch: 3, clusterUid: "uid", serverUuid: UUID, opened: 1 };
    const archived = { epoch: 2, serverUuid: OTHER, gtids: `${OTHER}:10` };
    const second = {
      terms: JSON.stringify([term]),
      archived: JSON.stringify([archived]),
      accounts: JSON.stringify({ "account:ordinal": "{}" }),
    };
    const having = await facts({ second });
    expect(having).toMatchObject({ terms: [term], archived: [archived] });
    expect(having.settings["account:ordinal"]).toBe("{}");
  });
});

describe("a copy", () => {
  test.each([
    [
      { state: "In Progress", error: " (0)", bytes: 41, expected: 100 },
      { kind: "running", bytes: 41, bytesExpected: 100, error: null },
    ],
    [
      { state: "In Progress", error: " (0)", bytes: 104, expected: 100 },
      { kind: "running", bytes: 104, bytesExpected: 100, error: null },
    ],
    [
      { state: "In Progress", error: " (0)", bytes: null, expected: null },
      { kind: "running", bytes: 0, bytesExpected: 0, error: null },
    ],
    [
      { state: "Completed", error: " (0)", bytes: 99, expected: 100 },
      { kind: "done", bytes: 99, bytesExpected: 100, error: null },
    ],
    [
      { state: "Failed", error: "no room (3868)", bytes: 40, expected: 100 },
      { kind: "failed", bytes: 40, bytesExpected: 100, error: "no room (3868)" },
    ],
    [
      { state: "Failed", error: "Donor Error: 3634 : busy (3862)", bytes: 0, expected: 100 },
      { kind: "none", error: null },
    ],
    [
      { state: "Failed", error: "Donor Error: 36341 (3862)", bytes: 0, expected: 100 },
      { kind: "failed", bytes: 0 },
    ],
    [
      { state: "Not Started", error: " (0)", bytes: null, expected: null },
      { kind: "none", bytes: 0, bytesExpected: 0, error: null },
    ],
  ])("%j is %j", async (said, meant) => {
    const having = await facts({ second: { seeding: JSON.stringify(said) } });
    expect(having.seeding).toMatchObject(meant);
  });
});

describe("a survey", () => {
  test("is made when it is asked for, with a limit of its own", async () => {
    const names: Answer = (sql) =>
      sql.includes("DISTINCT 'd'")
        ? [
            { kind: "d", name: "shop" },
            { kind: "d", name: "crm" },
            { kind: "o", name: "x" },
          ]
        : null;
    const { server: of, timeoutsMs } = server({}, names);
    expect(value(await observe(of, { survey: true })).survey).toEqual({ schemas: ["shop", "crm"] });
    expect(timeoutsMs).toEqual([undefined, undefined, 15_000]);
  });
});

describe("a stranger", () => {
  const unknown = failingAt(0, { kind: "refused", code: 1146, message: "no such table" });
  const stranger = (version: string) => scripted([unknown, row("VERSION()", { version })]).server;

  test("says who it is, if nothing else", async () => {
    expect(value(await observe(stranger("11.4.3-MariaDB-log"), { survey: true }))).toMatchObject({
      ...{ flavor: "MariaDB", version: "11.4.3-MariaDB-log", serverUuid: "", executed: "", survey: null },
    });
    expect(value(await observe(stranger("5.6.51"), { survey: false })).flavor).toBe("MySQL");
  });

  test("is also known by its comment", async () => {
    expect((await facts({ flags: { version_comment: "mariadb.org binary distribution" } })).flavor).toBe(
      "MariaDB",
    );
  });

  test("is nobody whose first answer failed in another way, or who does not say", async () => {
    const failure = { kind: "refused", code: 1142, message: "denied" } as const;
    const denied = scripted([failingAt(0, failure), row("VERSION()", { version: "9.7.4" })]);
    expect(await observe(denied.server, { survey: false })).toEqual({ ok: false, failure });
    const mute = scripted([unknown, failingAt(0, failure)]);
    expect(await observe(mute.server, { survey: false })).toEqual({ ok: false, failure });
  });
});
