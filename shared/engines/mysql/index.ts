/**
 * MySQL as Ordinal's core sees it: the rules, and the verbs over a session that the caller has fenced.
 * Nothing outside of this folder spells a word of MySQL.
 */
import { assert, fail, type Outcome, succeed } from "../../model/outcome.ts";
import type { Engine } from "../../ports/engine.ts";
import type { Server } from "../../ports/server.ts";
import { accountNames } from "./accounts.ts";
import { demote, fence, promote, restart, stopReceiving } from "./change-of-primary.ts";
import { observe, standstill } from "./observe.ts";
import { prepare } from "./prepare.ts";
import { arm, handOver, lockAccount, nudge, open, unlock } from "./primary.ts";
import { acknowledge, awaitExecuted, executed, follow } from "./replication.ts";
import { rules } from "./rules.ts";
import { readRow, run } from "./run.ts";
import { seed } from "./seed.ts";
import { standIn } from "./stand-in.ts";
import { keepTail, readTail } from "./tail.ts";

/** A function that was frozen with the lock in its hands loses it when it has been idle this long. */
const IDLE_SECONDS = 60;

async function lock(server: Server, name: string, timeoutMs: number): Promise<Outcome<null>> {
  assert(name.length > 0 && name.length <= 64, "MySQL's lock names have at most 64 characters");
  const bounded = await run(server, `SET SESSION wait_timeout = ${IDLE_SECONDS}`);
  if (!bounded.ok) return bounded;
  const seconds = timeoutMs / 1_000;
  const row = await readRow(server, "SELECT GET_LOCK(?, ?) AS mine", [name, seconds], {
    timeoutMs: timeoutMs + 2_000,
  });
  if (!row.ok) return row;
  return row.value["mine"] === "1" ? succeed(null) : fail("conflict", "another session holds the lock");
}

export const mysql: Engine = {
  rules,
  accountNames,
  observe,
  standstill,
  prepare,
  seed,
  follow,
  acknowledge,
  fence,
  demote,
  stopReceiving,
  promote,
  restart,
  nudge,
  lockAccount,
  arm,
  executed,
  awaitExecuted,
  open,
  handOver,
  readTail,
  keepTail,
  lock,
  unlock,
  standIn,
};
