/** How preparations are carried out: what is there stays, and no application's statement is refused by surprise. */
import { describe, expect, test } from "vitest";
import { mysql } from "../../../shared/engines/mysql/index.ts";
import { prepare } from "../../../shared/engines/mysql/prepare.ts";
import type { Accounts } from "../../../shared/ports/engine.ts";
import type { Row } from "../../../shared/ports/server.ts";
import { type Answer, row, scripted } from "./scripted.ts";

const accounts: Accounts = {
  control: { username: "ordinal", password: "C".repeat(32) },
  replication: (ordinal) => ({ username: `ordinal_repl_${ordinal}`, password: "R".repeat(32) }),
};

async function preparing(
  kind: string,
  parameters: Readonly<Record<string, string>>,
  ...answers: readonly Answer[]
) {
  const { server, told } = scripted(answers);
  const outcome = await prepare(server, { kind, text: "", parameters }, accounts);
  return { outcome, told: told.filter((sql) => !sql.startsWith("SELECT")) };
}

describe("the way to GTIDs", () => {
  const stage = (name: string, ...answers: readonly Answer[]) =>
    preparing("gtid", { stage: name }, ...answers);
  const watched = (more: Row) =>
    row("AS watched", { watched: "60", verbosity: "2", violations: "0", ...more });

  test.each([
    ["warn", "SET PERSIST enforce_gtid_consistency = WARN"],
    ["enforce", "SET PERSIST enforce_gtid_consistency = ON"],
    ["off-permissive", "SET PERSIST gtid_mode = OFF_PERMISSIVE"],
    ["on-permissive", "SET PERSIST gtid_mode = ON_PERMISSIVE"],
    ["on", "SET PERSIST gtid_mode = ON"],
  ])("%s", async (name, statement) => {
    const { outcome, told } = await stage(name, watched({}), row("AS n FROM", { n: "0" }));
    expect(outcome).toEqual({ ok: true, value: null });
    expect(told).toEqual([statement]);
  });

  test.each<[string, Row, object]>([
    ["for a minute first", { watched: "59" }, { kind: "transient", retryAfterMs: 1_000 }],
    ["from its beginning", { watched: null }, { kind: "transient", retryAfterMs: 60_000 }],
    [
      "and any that GTIDs do not permit is for a person",
      { violations: "1" },
      { kind: "refused", message: expect.stringContaining("GTIDs do not permit") },
    ],
    [
      "which the server has to tell of",
      { verbosity: "1" },
      { kind: "refused", message: expect.stringContaining("log_error_verbosity") },
    ],
  ])("statements are watched %s", async (_, more, failure) => {
    const { outcome, told } = await stage("enforce", watched(more));
    expect(outcome).toMatchObject({ ok: false, failure });
    expect(told).toEqual([]);
  });

  test("ends once no transaction without one is under way", async () => {
    const { outcome, told } = await stage("on", row("AS n FROM", { n: "2" }));
    expect(outcome).toMatchObject({
      failure: { kind: "transient", retryAfterMs: 1_000, message: expect.stringContaining("without a GTID") },
    });
    expect(told).toEqual([]);
  });
});

describe("plugins", () => {
  const there: Answer = (sql) => (sql.includes("information_schema.plugins") ? [{ name: "clone" }] : null);
  const install = (...answers: readonly Answer[]) =>
    preparing("plugins", { names: "clone,rpl_semi_sync_source,rpl_semi_sync_replica" }, ...answers);

  test("that are there stay as they are", async () => {
    const { told } = await install(there, row("super_read_only AS closed", { closed: "0" }));
    expect(told).toEqual([
      "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'",
      "INSTALL PLUGIN rpl_semi_sync_replica SONAME 'semisync_replica.so'",
    ]);
  });

  test("are entered into a closed server while applications are still refused", async () => {
    const { told } = await install(row("super_read_only AS closed", { closed: "1" }));
    expect(told).toEqual([
      "SET GLOBAL super_read_only = OFF",
      "INSTALL PLUGIN clone SONAME 'mysql_clone.so'",
      "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'",
      "INSTALL PLUGIN rpl_semi_sync_replica SONAME 'semisync_replica.so'",
      "SET GLOBAL super_read_only = ON",
    ]);
  });

  test("that are not ours are a bug", async () => {
    await expect(preparing("plugins", { names: "keyring" })).rejects.toThrow("not a plugin of ours: keyring");
  });
});

test("what is no preparation, stage, table or setting is a bug", async () => {
  await expect(preparing("gtid", {})).rejects.toThrow("not a stage of going to GTIDs");
  await expect(preparing("tables", {})).rejects.toThrow("not tables of ours");
  await expect(preparing("tables", { names: "term,orders" })).rejects.toThrow(
    "not tables of ours: term,orders",
  );
  await expect(preparing("settings", { port: "persist 1" })).rejects.toThrow("no setting of ours: port");
  await expect(async () => preparing("dance", {})).rejects.toThrow("not a preparation of MySQL: dance");
});

describe("accounts", () => {
  const made = (...answers: readonly Answer[]) => preparing("accounts", { ordinals: "0,2" }, ...answers);
  const names = (told: readonly string[]) => [...new Set(told.map((sql) => /'(ordinal\w*)'/.exec(sql)?.[1]))];

  test("nobody can log in with one before everything is granted to it", async () => {
    const { told } = await made();
    expect(names(told)).toEqual(["ordinal", "ordinal_repl_0", "ordinal_repl_2"]);
    const control = told.filter((sql) => sql.includes("'ordinal'@'%'"));
    expect(control[0]).toMatch(/^CREATE USER IF NOT EXISTS .* RANDOM PASSWORD REQUIRE SSL/);
    expect(control.at(-1)).toMatch(/^ALTER USER .* BY 'C+' REQUIRE SSL PASSWORD EXPIRE NEVER ATTRIBUTE/);
    expect(control.slice(1, -1).every((sql) => sql.startsWith("GRANT "))).toBe(true);
    expect(told.filter((sql) => sql.includes("ordinal_repl_2"))).toEqual([
      expect.stringMatching(/^CREATE USER/),
      "GRANT REPLICATION SLAVE, BACKUP_ADMIN ON *.* TO 'ordinal_repl_2'@'%'",
      expect.stringMatching(/^ALTER USER/),
    ]);
  });

  test("may not write to user data, and pass on only what a replica needs", async () => {
    const { told } = await made();
    const grants = told.filter((sql) => sql.startsWith("GRANT") && sql.includes("TO 'ordinal'@'%'"));
    const everywhere = grants.filter((sql) => sql.includes(" ON *.* "));
    expect(everywhere.join()).not.toMatch(/\b(INSERT|UPDATE|DELETE|DROP|ALTER|SELECT|SUPER|ALL)\b/);
    expect(grants.filter((sql) => sql.includes("GRANT OPTION"))).toEqual([
      "GRANT REPLICATION SLAVE, BACKUP_ADMIN ON *.* TO 'ordinal'@'%' WITH GRANT OPTION",
    ]);
  });

  test("that are as they should be are left alone; another password needs no new grants", async () => {
    const { told } = await made();
    const attributes = told.flatMap(
      (sql) => /^ALTER USER '(\w+)'.* ATTRIBUTE '(.*)'$/.exec(sql)?.slice(1) ?? [],
    );
    const rows = [0, 2, 4].map((at) => ({ name: attributes[at] ?? "", attribute: attributes[at + 1] ?? "" }));
    const having =
      (of: readonly Row[]): Answer =>
      (sql) =>
        sql.includes("user_attributes") ? of : null;
    expect((await made(having(rows))).told).toEqual([]);
    const [control, ...others] = rows;
    const older = {
      ...control,
      attribute: (control?.attribute ?? "").replace(/"password":"./, '"password":"_'),
    };
    expect((await made(having([older, ...others]))).told.map((sql) => sql.split(" ")[0])).toEqual([
      "CREATE",
      "ALTER",
    ]);
    const fewer = { ...control, attribute: (control?.attribute ?? "").replace(/"grants":\d+/, '"grants":0') };
    expect((await made(having([fewer, ...others]))).told.length).toBeGreaterThan(2);
    expect(names((await made(having(others))).told)).toEqual(["ordinal"]);
  });
});

describe("the lock", () => {
  const holding = row("GET_LOCK", { mine: "1" });

  test("is waited for with a limit on both sides, and lost by a session that stands still for a minute", async () => {
    const { server, told, values, timeoutsMs } = scripted([holding]);
    expect(await mysql.lock(server, "ordinal:a", 1_500)).toEqual({ ok: true, value: null });
    expect(told).toEqual(["SET SESSION wait_timeout = 60", "SELECT GET_LOCK(?, ?) AS mine"]);
    expect([values[1], timeoutsMs[1]]).toEqual([["ordinal:a", 1.5], 3_500]);
  });

  test.each(["0", null])("is another's: %s", async (mine) => {
    const { server } = scripted([row("GET_LOCK", { mine })]);
    expect(await mysql.lock(server, "ordinal:a", 0)).toMatchObject({
      failure: { kind: "conflict", message: expect.stringContaining("another session") },
    });
  });

  test("has a name that the server takes", async () => {
    for (const name of ["", "a".repeat(65)]) {
      await expect(mysql.lock(scripted([holding]).server, name, 0)).rejects.toThrow("at most 64");
    }
    expect(await mysql.lock(scripted([holding]).server, "a".repeat(64), 0)).toMatchObject({ ok: true });
  });
});
