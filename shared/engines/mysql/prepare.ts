/**
 * Carries out the preparations that the rules ask for. Each can be repeated and picks up where a run that
 * was cut off has stopped; none of them may hold up or fail a write of the applications.
 */
import type { Preparation } from "../../model/engine.ts";
import { assert, fail, type Outcome, succeed } from "../../model/outcome.ts";
import type { Accounts } from "../../ports/engine.ts";
import type { Server } from "../../ports/server.ts";
import { prepareAccounts } from "./accounts.ts";
import { PLUGINS } from "./plugins.ts";
import { readRow, run, runAll } from "./run.ts";
import { tableStatements } from "./schema.ts";
import { settingStatement } from "./settings.ts";

export function prepare(
  server: Server,
  preparation: Preparation,
  accounts: Accounts,
): Promise<Outcome<null>> {
  const { kind, parameters } = preparation;
  switch (kind) {
    case "gtid":
      return advanceGtids(server, parameters["stage"] ?? "");
    case "plugins":
      return installPlugins(server, (parameters["names"] ?? "").split(","));
    case "settings":
      return runAll(
        server,
        Object.entries(parameters).map(([name, change]) => settingStatement(name, change)),
      );
    case "tables":
      return runAll(server, tableStatements((parameters["names"] ?? "").split(",")));
    case "accounts":
      return prepareAccounts(
        server,
        (parameters["ordinals"] ?? "").split(",").filter(Boolean).map(Number),
        accounts,
      );
    default:
      throw new Error(`not a preparation of MySQL: ${kind}`);
  }
}

export const ANONYMOUS = `SELECT VARIABLE_VALUE AS n FROM performance_schema.global_status
 WHERE VARIABLE_NAME = 'Ongoing_anonymous_transaction_count'`;

/** How long statements are watched before those that GTIDs cannot replicate are refused. */
export const WATCH_SECONDS = 60;
export const WATCHED = `SELECT TIMESTAMPDIFF(SECOND, i.SET_TIME, NOW(6)) AS watched,
 @@GLOBAL.log_error_verbosity AS verbosity,
 (SELECT COUNT(*) FROM performance_schema.error_log e
  WHERE e.LOGGED >= NOW(6) - INTERVAL ${WATCH_SECONDS} SECOND
  AND e.DATA LIKE '%violates GTID consistency%') AS violations
 FROM performance_schema.variables_info i WHERE i.VARIABLE_NAME = 'enforce_gtid_consistency'`;

async function advanceGtids(server: Server, stage: string): Promise<Outcome<null>> {
  switch (stage) {
    case "warn":
      return runAll(server, ["SET PERSIST enforce_gtid_consistency = WARN"]);
    case "enforce": {
      const clean = await watchedLongEnough(server);
      return clean.ok ? runAll(server, ["SET PERSIST enforce_gtid_consistency = ON"]) : clean;
    }
    case "off-permissive":
      return runAll(server, ["SET PERSIST gtid_mode = OFF_PERMISSIVE"]);
    case "on-permissive":
      return runAll(server, ["SET PERSIST gtid_mode = ON_PERMISSIVE"]);
    case "on": {
      const ongoing = await readRow(server, ANONYMOUS);
      if (!ongoing.ok) return ongoing;
      if (ongoing.value["n"] !== "0") {
        return fail("transient", "transactions without a GTID are still under way", { retryAfterMs: 1_000 });
      }
      return runAll(server, ["SET PERSIST gtid_mode = ON"]);
    }
    default:
      throw new Error(`not a stage of going to GTIDs: ${stage}`);
  }
}

/**
 * The server itself remembers since when it warns, so nothing has to wait here. Violations older than the
 * time of watching do not count: whoever mended his statements gets through without another word.
 */
async function watchedLongEnough(server: Server): Promise<Outcome<null>> {
  const seen = await readRow(server, WATCHED);
  if (!seen.ok) return seen;
  if (Number(seen.value["verbosity"]) < 2) {
    return fail(
      "refused",
      "log_error_verbosity is 1, which hides statements that GTIDs do not permit: set it to 2",
    );
  }
  if (seen.value["violations"] !== "0") {
    return fail(
      "refused",
      "applications run statements that GTIDs do not permit: see the server's error log",
    );
  }
  const left = WATCH_SECONDS - Number(seen.value["watched"] ?? 0);
  if (left <= 0) return succeed(null);
  return fail("transient", `statements are watched for another ${left} s`, { retryAfterMs: left * 1_000 });
}

export const INSTALLED = "SELECT PLUGIN_NAME AS name FROM information_schema.plugins";
export const CLOSED = "SELECT @@GLOBAL.super_read_only AS closed";

/**
 * A plugin is entered in a system table, which super_read_only forbids. It is lifted for those milliseconds
 * while read_only stays, so that applications are still refused. Nothing is written to the binary log. A
 * run that is cut off here leaves super_read_only off, and the settings, which come next, set it again.
 */
async function installPlugins(server: Server, names: readonly string[]): Promise<Outcome<null>> {
  const present = await run(server, INSTALLED);
  if (!present.ok) return present;
  const state = await readRow(server, CLOSED);
  if (!state.ok) return state;
  const there = new Set(present.value.map(({ name }) => name));
  const closed = state.value["closed"] === "1";
  if (closed) {
    const lifted = await run(server, "SET GLOBAL super_read_only = OFF");
    if (!lifted.ok) return lifted;
  }
  const statements = names
    .filter((name) => !there.has(name))
    .map((name) => {
      const plugin = PLUGINS[name];
      assert(plugin !== undefined, `not a plugin of ours: ${name}`);
      return `INSTALL PLUGIN ${name} SONAME '${plugin.file}'`;
    });
  const installed = await runAll(server, statements);
  if (!closed) return installed;
  const restored = await runAll(server, ["SET GLOBAL super_read_only = ON"]);
  return installed.ok ? restored : installed;
}
