/**
 * A server of a backup that is to go into service in place of another: one of its own, which whoever manages it can log
 * in to. What is done to it on the way is not logged, so that it holds the transactions of the backup and no others.
 */
import { orBreak } from "../../model/broken-stream.ts";
import type { Credentials, Server } from "../../ports/server.ts";
import type { RebuildWish, Restored } from "../copies.ts";
import { unusable } from "../flow.ts";
import { restoreDatabases } from "./dump.ts";
import { replayLogs, standReady } from "./replay.ts";
import { type Scratch, withServer } from "./scratch.ts";
import { executed, type Looking, lookAt, lookInto } from "./tables.ts";
import { ownVersion } from "./version.ts";
import { restoreVolume, SHAPE_FILE, strip, UNGUARDED } from "./volume.ts";

export interface RebuildRules {
  /** For what the server should hold. */
  readonly looking: (wanted: string) => Looking;
  readonly isOwnAccount: (name: string) => boolean;
  /** Transactions in a position. */
  readonly count: (position: string) => bigint;
}

export async function rebuild(scratch: Scratch, wish: RebuildWish, rules: RebuildRules): Promise<Restored> {
  const there: Scratch = { ...scratch, disk: wish.folder };
  const { method, databases, engine } = wish.origin;
  const looking = rules.looking(wish.position);
  const replaying = wish.replay === null ? [] : await standReady(wish.replay);
  const isOther = async () => (await ownVersion(scratch)).join(".") !== /^[\d.]*/.exec(engine.version)?.[0];
  let restored: Restored;
  if (method === "physical") {
    // A server of another version has changed what was proven.
    const lookClosely = wish.isProven && !(await isOther()) ? lookAt : lookInto;
    const look = async (server: Server) => {
      const found = await lookClosely(server, looking);
      if (isWell(found)) await goOn(server, wish, rules);
      return found;
    };
    restored = await restoreVolume(there, wish.stream, look, replaying);
  } else {
    restored = await restoreDatabases(there, wish.stream, (server) => lookInto(server, looking));
    if (!isWell(restored)) return restored;
    // System tables of another version have to be brought up to date; and of accounts it knows those that it began with.
    const upgrading = databases === null && (await isOther()) ? ["--upgrade=FORCE"] : [];
    const options = [...UNGUARDED, ...upgrading, ...replaying];
    await withServer(there, { shape: null, options }, (server) => goOn(server, wish, rules));
  }
  await strip(there, (name) => name === SHAPE_FILE || isLog(name));
  return restored;
}

function isWell({ astray, damage }: Restored): boolean {
  return astray === null && damage === null;
}

/** As a server names its logs that is told nothing. What they hold is in the tables by now, and a server over them would go on with them. */
function isLog(name: string): boolean {
  return /^binlog\.|-relay-bin(?:-[^.]*)?\.(?:\d+|index)$/.test(name);
}

interface Account {
  readonly name: string;
  readonly host: string;
  /** Whoever is on the machine comes in without a password. */
  readonly isOpen: boolean;
}

const ACCOUNTS = `SELECT User AS name, Host AS host,
 plugin = 'caching_sha2_password' AND authentication_string = '' AS is_open FROM mysql.user`;

/** From what the backup holds to what goes into service. */
async function goOn(server: Server, wish: RebuildWish, rules: RebuildRules): Promise<void> {
  // Until now the server did not know of any account, and whoever came was let in; so none could be made either.
  orBreak(await server.query("FLUSH PRIVILEGES"));
  if (wish.replay !== null) await replayLogs(server, wish.replay, rules.count);
  await settle(server, wish, rules);
}

async function settle(
  server: Server,
  { administrator, position, replay }: RebuildWish,
  rules: RebuildRules,
): Promise<void> {
  const run = async (sql: string, values: readonly string[] = []) => orBreak(await server.query(sql, values));
  await run("SET SESSION sql_log_bin = 0");
  const accounts = (await run(ACCOUNTS)).map(
    ({ name, host, is_open }): Account => ({ name: name ?? "", host: host ?? "", isOpen: is_open === "1" }),
  );
  for (const { name, host } of accounts)
    if (rules.isOwnAccount(name)) await run("DROP USER ?@?", [name, host]);
  await letIn(run, administrator, accounts);
  await run("RESET REPLICA ALL");
  const astray = rules.looking(replay?.position ?? position).astray(await executed(server));
  if (astray !== null)
    throw unusable(`The server that was made is not at the point that was asked for: ${astray}.`);
}

/** From anywhere, and by the socket, which is how images look whether their server is well. */
const HOSTS: readonly string[] = ["%", "localhost"];

async function letIn(
  run: (sql: string, values: readonly string[]) => Promise<unknown>,
  { username, password }: Credentials,
  accounts: readonly Account[],
): Promise<void> {
  const login = "?@? IDENTIFIED WITH caching_sha2_password BY ?";
  // A server that was just made has a root without a password.
  const known = accounts.filter(
    ({ name, host, isOpen }) => name === username || (name === "root" && host === "localhost" && isOpen),
  );
  for (const { name, host } of known) {
    // An account may refuse the passwords that it had before, and this may well be one.
    await run("DELETE FROM mysql.password_history WHERE User = ? AND Host = ?", [name, host]);
    await run(`ALTER USER ${login}`, [name, host, password]);
  }
  const there = new Set(known.filter(({ name }) => name === username).map(({ host }) => host));
  for (const host of HOSTS.filter((one) => !there.has(one))) {
    await run(`CREATE USER ${login}`, [username, host, password]);
    await run("GRANT ALL PRIVILEGES ON *.* TO ?@? WITH GRANT OPTION", [username, host]);
  }
}
