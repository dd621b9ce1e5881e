/**
 * What the brain asks about a MySQL server, answered from facts alone: can it be managed, is it as empty as
 * its image made it, and what is still to be prepared. Never touches a server.
 */
import type { DesiredMember, EngineRules, Preparation } from "../../model/engine.ts";
import type { ServerFacts } from "../../model/server.ts";
import { accountNames, isGranted } from "./accounts.ts";
import { gtidSets } from "./gtid.ts";
import { PLUGINS } from "./plugins.ts";
import { TABLE_NAMES } from "./schema.ts";
import { missingSettings } from "./settings.ts";
import { refusesImage } from "./upgrade.ts";

/** The first long-term release with the words SOURCE and REPLICA everywhere, and the oldest in support. */
const VERSION_MIN = [8, 4] as const;
/** The official image writes eight transactions for a database and a user of its own (measured: 9.7). */
const INITIAL_TRANSACTIONS_MAX = 32n;

type Refusal = NonNullable<ReturnType<EngineRules["unsupported"]>>;

/** Settings that only a restart can change, or that only the user can judge, with what to do. */
const REFUSED_SETTINGS: readonly {
  readonly refuses: (settings: ServerFacts["settings"], facts: ServerFacts) => boolean;
  readonly message: string;
}[] = [
  {
    refuses: (settings) => settings["log_bin"] !== "ON",
    message:
      "The binary log is off: remove skip-log-bin or disable-log-bin from the configuration and restart.",
  },
  {
    refuses: (settings) => settings["log_replica_updates"] !== "ON",
    message: "log_replica_updates is OFF: remove it from the configuration and restart the server.",
  },
  {
    // It can be changed online, but a session that is open keeps its format for as long as it lives.
    refuses: (settings) => settings["binlog_format"] !== "ROW",
    message:
      "binlog_format is not ROW: SET PERSIST binlog_format = ROW, then let the applications reconnect.",
  },
  {
    refuses: (settings) => settings["persisted_globals_load"] !== "ON",
    message: "persisted_globals_load is OFF, so no setting would survive a restart: remove it and restart.",
  },
  {
    refuses: (settings) => settings["performance_schema"] !== "ON",
    message: "performance_schema is OFF, so replication cannot be observed: remove it and restart.",
  },
  {
    refuses: (settings) => (settings["group_replication_group_name"] ?? "") !== "",
    message: "Group Replication is configured: Ordinal manages servers that replicate from one primary only.",
  },
  {
    refuses: (settings) => settings["other_channels"] !== undefined,
    message:
      "It has a named replication channel: only the default channel is managed; RESET REPLICA ALL for the others.",
  },
  {
    // Each step to GTIDs has to be reached by all servers before the next, others of the user's included.
    refuses: (settings, facts) =>
      settings["gtid_mode"] !== "ON" && (facts.channel !== null || facts.followers > 0),
    message:
      "It replicates without GTIDs: enable gtid_mode on all its servers first, or stop that replication.",
  },
];

function unsupported(facts: ServerFacts): Refusal | null {
  if (facts.flavor !== "MySQL") {
    const message = `The server is ${facts.flavor} ${facts.version}: set ordinal.dev/engine to what it is.`;
    return { code: "EngineMismatch", message };
  }
  const [major = 0, minor = 0] = facts.version.split(".").map((part) => Number.parseInt(part, 10));
  if (major < VERSION_MIN[0] || (major === VERSION_MIN[0] && minor < VERSION_MIN[1])) {
    const message = `MySQL ${facts.version} is too old: upgrade to ${VERSION_MIN.join(".")} or later.`;
    return { code: "UnsupportedVersion", message };
  }
  const refused = REFUSED_SETTINGS.find(({ refuses }) => refuses(facts.settings, facts));
  return refused === undefined ? null : { code: "UnsupportedSettings", message: refused.message };
}

function initialOnly(facts: ServerFacts): boolean {
  return (
    facts.survey !== null &&
    facts.survey.schemas.length === 0 &&
    facts.channel === null &&
    gtidSets.without(facts.executed, facts.serverUuid) === "" &&
    gtidSets.count(facts.executed) <= INITIAL_TRANSACTIONS_MAX
  );
}

function preparations(facts: ServerFacts, desired: DesiredMember): readonly Preparation[] {
  return [
    ...gtidStages(facts),
    ...missingPlugins(facts),
    ...settings(facts, desired),
    ...missingTables(facts, desired),
    ...missingAccounts(facts, desired),
  ];
}

/** The stages of the manual's procedure for going to GTIDs online, for a server that nobody replicates with. */
function gtidStages({ settings }: ServerFacts): readonly Preparation[] {
  const consistency = settings["enforce_gtid_consistency"] ?? "OFF";
  const modes = ["OFF", "OFF_PERMISSIVE", "ON_PERMISSIVE", "ON"];
  const mode = modes.indexOf(settings["gtid_mode"] ?? "OFF");
  const stage = (name: string, text: string): Preparation => ({
    kind: "gtid",
    text,
    parameters: { stage: name },
  });
  const stages: Preparation[] = [];
  if (consistency === "OFF") stages.push(stage("warn", "Have statements logged that GTIDs would not permit"));
  if (consistency !== "ON") stages.push(stage("enforce", "Permit only statements that GTIDs can replicate"));
  if (mode < 1) stages.push(stage("off-permissive", "Accept transactions with GTIDs"));
  if (mode < 2) stages.push(stage("on-permissive", "Give new transactions GTIDs"));
  if (mode < 3) stages.push(stage("on", "Require GTIDs, once no transaction without one is under way"));
  return stages;
}

function missingPlugins(facts: ServerFacts): readonly Preparation[] {
  const missing = Object.entries(PLUGINS)
    .filter(([, { variable }]) => facts.settings[variable] === undefined)
    .map(([plugin]) => plugin);
  if (missing.length === 0) return [];
  const names = missing.join(", ");
  return [{ kind: "plugins", text: `Install plugins: ${names}`, parameters: { names: missing.join(",") } }];
}

function settings(facts: ServerFacts, desired: DesiredMember): readonly Preparation[] {
  const missing = missingSettings(facts, desired);
  const changes = Object.entries(missing).map(([name, change]) => `${name} (${change})`);
  if (changes.length === 0) return [];
  return [{ kind: "settings", text: `Change settings: ${changes.join(", ")}`, parameters: missing }];
}

/** They are made on the primary and replicate from there; a read-only one has to be opened first. */
function missingTables(facts: ServerFacts, desired: DesiredMember): readonly Preparation[] {
  if (desired.role !== "primary" || facts.readOnly) return [];
  const missing = TABLE_NAMES.filter((name) => facts.settings[`table:${name}`] === undefined);
  if (missing.length === 0) return [];
  const text = `Create tables: ${missing.map((name) => `ordinal.${name}`).join(", ")}`;
  return [{ kind: "tables", text, parameters: { names: missing.join(",") } }];
}

/** The same is true of accounts. */
function missingAccounts(facts: ServerFacts, desired: DesiredMember): readonly Preparation[] {
  if (desired.role !== "primary" || facts.readOnly) return [];
  const names = [accountNames.control, ...desired.ordinals.map(accountNames.replication)];
  const missing = names.filter((name) => !isGranted(facts.settings[`account:${name}`]));
  if (missing.length === 0) return [];
  const text = `Create accounts: ${missing.join(", ")}`;
  const parameters = { ordinals: desired.ordinals.join(",") };
  return [{ kind: "accounts", text, parameters, asAdministrator: true }];
}

export const rules: EngineRules = {
  name: "mysql",
  title: "MySQL",
  port: 3306,
  positions: gtidSets,
  replicationAccount: accountNames.replication,
  unsupported,
  refusesImage,
  initialOnly,
  preparations,
};
