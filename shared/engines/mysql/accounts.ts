/**
 * The accounts that Ordinal makes for itself on the primary, with each privilege and what it is for. They
 * replicate like any other change. What was granted, and for which password, is written into the account's
 * own attribute as the last act, so that a run which was cut off is seen and repeated, and a finished one
 * changes nothing. The control account cannot write user data.
 */
import { type Outcome, succeed } from "../../model/outcome.ts";
import type { Accounts } from "../../ports/engine.ts";
import type { Credentials, Server } from "../../ports/server.ts";
import { sha256 } from "./digest.ts";
import { runAll } from "./run.ts";
import { accountLiteral, passwordLiteral } from "./text.ts";

export const CONTROL_ACCOUNT = "ordinal";
export const REPLICATION_PREFIX = "ordinal_repl_";

/** Raised with every change of the lists below, so that existing accounts get it too. */
const GRANTS_VERSION = 3;

export const accountNames: {
  readonly control: string;
  replication(ordinal: number): string;
} = {
  control: CONTROL_ACCOUNT,
  replication: (ordinal) => `${REPLICATION_PREFIX}${ordinal}`,
};

/** Whether it is one that Ordinal makes for itself, of whatever version or member. */
export function isOwnAccount(name: string): boolean {
  return name === CONTROL_ACCOUNT || name.startsWith(REPLICATION_PREFIX);
}

/** Each by the table or the whole server; `GRANT OPTION` only for what the replication accounts get. */
const CONTROL_GRANTS: readonly {
  readonly privileges: string;
  readonly on: string;
  readonly more?: string;
}[] = [
  {
    // RELOAD: FLUSH BINARY LOGS at a promotion. PROCESS: see the threads of others, and wait states.
    // CREATE USER: replication accounts for new members, and locking them. REFERENCES: see that a table
    // exists (the survey) without being able to read it; it permits nothing without CREATE or ALTER.
    // SHUTDOWN: end a deposed primary whose commits wait for acknowledgements that nobody will give.
    // REPLICATION CLIENT: see how much of a volume binary logs take that wait for the archive.
    privileges: "RELOAD, PROCESS, CREATE USER, REFERENCES, SHUTDOWN, REPLICATION CLIENT",
    on: "*.*",
  },
  {
    // SYSTEM_VARIABLES_ADMIN, PERSIST_RO_VARIABLES_ADMIN: all of settings.ts, read-only, acknowledgements.
    // REPLICATION_SLAVE_ADMIN: CHANGE REPLICATION SOURCE, START and STOP REPLICA. CLONE_ADMIN: be seeded.
    // CONNECTION_ADMIN: get in when all connections are used up or the server is offline; KILL of clients.
    // SYSTEM_USER: KILL of root's sessions and of the applier, and nobody without it can change us.
    // SHOW_ROUTINE: see that a routine exists (the survey).
    privileges:
      "SYSTEM_VARIABLES_ADMIN, PERSIST_RO_VARIABLES_ADMIN, REPLICATION_SLAVE_ADMIN, CLONE_ADMIN, " +
      "CONNECTION_ADMIN, SYSTEM_USER, SHOW_ROUTINE",
    on: "*.*",
  },
  // What a replication account needs can only be given by somebody who has it and may pass it on.
  { privileges: "REPLICATION SLAVE, BACKUP_ADMIN", on: "*.*", more: " WITH GRANT OPTION" },
  // Observation.
  { privileges: "SELECT", on: "performance_schema.*" },
  // INSTALL PLUGIN.
  { privileges: "INSERT", on: "mysql.plugin" },
  // The witness table and kept tails; CREATE for tables of a later version.
  { privileges: "CREATE, SELECT, INSERT, UPDATE", on: "ordinal.*" },
];

/** True when the attribute says that all of this version was granted. */
export function isGranted(attribute: string | undefined): boolean {
  return marker(attribute)?.grants === GRANTS_VERSION;
}

interface Marker {
  readonly grants: number;
  readonly password: string;
}

function marker(attribute: string | null | undefined): Marker | null {
  try {
    return (JSON.parse(attribute ?? "null") as { ordinal?: Marker } | null)?.ordinal ?? null;
  } catch {
    return null;
  }
}

/** As an account carries it on which all of this version was granted. */
export function grantedAttribute(password: string): string {
  return JSON.stringify({ ordinal: { grants: GRANTS_VERSION, password } });
}

/**
 * A password is 32 random characters, 190 bits, so its hash gives nothing away to somebody who may read
 * account attributes; it tells whether the account was made for another password.
 */
export async function fingerprint(password: string): Promise<string> {
  return (await sha256(new TextEncoder().encode(`ordinal:${password}`))).slice(0, 32);
}

export const ATTRIBUTES =
  "SELECT USER AS name, ATTRIBUTE AS attribute FROM information_schema.user_attributes WHERE HOST = '%'";

export async function prepareAccounts(
  server: Server,
  ordinals: readonly number[],
  accounts: Accounts,
): Promise<Outcome<null>> {
  const found = await server.query(ATTRIBUTES);
  if (!found.ok) return found;
  const attributes = new Map(found.value.map(({ name, attribute }) => [name, attribute]));
  const wanted = [
    { credentials: accounts.control, control: true },
    ...ordinals.map((ordinal) => ({ credentials: accounts.replication(ordinal), control: false })),
  ];
  for (const { credentials, control } of wanted) {
    const mark: Marker = { grants: GRANTS_VERSION, password: await fingerprint(credentials.password) };
    const have = marker(attributes.get(credentials.username));
    if (have?.grants === mark.grants && have.password === mark.password) continue;
    const made = await runAll(server, accountStatements(credentials, control, mark, have));
    if (!made.ok) return made;
  }
  return succeed(null);
}

function accountStatements(
  credentials: Credentials,
  control: boolean,
  mark: Marker,
  have: Marker | null,
): readonly string[] {
  const account = accountLiteral(credentials.username);
  const attribute = grantedAttribute(mark.password);
  const login = `${account} IDENTIFIED WITH caching_sha2_password BY`;
  const terms = "REQUIRE SSL PASSWORD EXPIRE NEVER";
  const grants = control
    ? controlGrants(account)
    : [`GRANT REPLICATION SLAVE, BACKUP_ADMIN ON *.* TO ${account}`];
  return [
    // Nobody can log in with it until everything is granted: the next run, after one that was cut off, would
    // come in with it instead of the user's account and be refused.
    `CREATE USER IF NOT EXISTS ${login} RANDOM PASSWORD ${terms}`,
    ...(have?.grants === mark.grants ? [] : grants),
    `ALTER USER ${login} ${passwordLiteral(credentials.password)} ${terms} ATTRIBUTE '${attribute}'`,
  ];
}

function controlGrants(account: string): readonly string[] {
  return CONTROL_GRANTS.map(
    ({ privileges, on, more }) => `GRANT ${privileges} ON ${on} TO ${account}${more ?? ""}`,
  );
}
