/**
 * Every server setting that Ordinal depends on, with its reason. Together they make a restart harmless: a
 * server comes back read-only, receives nothing, requires nothing and has lost nothing that it acknowledged
 * (INV-1, INV-3); who may be written to is decided afterwards. Names and values are constants of this file,
 * so that nothing from outside ever becomes part of a statement.
 */
import type { DesiredMember } from "../../model/engine.ts";
import { assert } from "../../model/outcome.ts";
import type { ServerFacts } from "../../model/server.ts";

/**
 * - `persist`: in force now and after every restart;
 * - `persist-only`: after the next restart, what is in force stays;
 * - `reset`: nothing of ours is left behind for a restart.
 */
type Scope = "persist" | "persist-only" | "reset";

/** Null = it stays as it is. */
type Want = { readonly scope: Scope; readonly value: string } | null;

interface Setting {
  readonly name: string;
  want(desired: DesiredMember, facts: ServerFacts): Want;
}

function persist(name: string, value: string): Setting {
  return { name, want: () => ({ scope: "persist", value }) };
}

function persistOnly(name: string, value: string): Setting {
  return { name, want: () => ({ scope: "persist-only", value }) };
}

export const SETTINGS: readonly Setting[] = [
  // Servers with the same number do not replicate from each other, and all images begin with 1.
  { name: "server_id", want: (desired, facts) => ({ scope: "persist", value: serverId(desired, facts) }) },
  // An acknowledgement promises a relay log on disk; the default syncs it every 10,000 events.
  persist("sync_relay_log", "1"),
  // A primary that lost its own last commits in a crash would be behind its replicas.
  persist("sync_binlog", "1"),
  persist("innodb_flush_log_at_trx_commit", "1"),
  // A source that says nothing is given up after 2 s instead of 60 s; heartbeats come twice a second. A receiver
  // that is connecting can be stopped only when this time is up.
  // Not less: a receiver that is connected stops at once, one that tries to connect to a silent source after 2 s (measured).
  persist("replica_net_timeout", "5"),
  {
    // Without it a replica's executed set has holes. It cannot be changed while the applier runs.
    name: "replica_preserve_commit_order",
    want: (_, facts) => ({
      scope: facts.channel?.applier === "on" ? "persist-only" : "persist",
      value: "ON",
    }),
  },
  // Put offline by a failover that came to another end, or by hand: whoever has a place lets applications in.
  persist("offline_mode", "OFF"),
  // A readiness probe that only opens the port counts as an error each time, and after a hundred in a row its host
  // is let in no more, which takes whoever comes from the node's address with it.
  persist("max_connect_errors", "4294967295"),
  // The sender looks through the newest file for a follower's place: small files make a promotion fast.
  persist("max_binlog_size", "134217728"),
  {
    // Since MySQL 8.0.29. In force from the next time on that a log is begun, which is when old ones are deleted.
    name: "binlog_expire_logs_auto_purge",
    want: ({ deletesLogs }) =>
      deletesLogs === null ? null : { scope: "persist", value: deletesLogs ? "ON" : "OFF" },
  },
  // The documented maximum, 49 days: a commit never goes on alone because the acknowledgement is late.
  persist("rpl_semi_sync_source_timeout", "4294967295"),
  persist("rpl_semi_sync_source_wait_no_replica", "ON"),
  // Nobody can read what may still vanish.
  persist("rpl_semi_sync_source_wait_point", "AFTER_SYNC"),
  {
    // A restarted server requires nothing until it is armed, and on a replica the applier itself would wait.
    // On a primary the running value is the business of arming alone: switching it off answers OK to
    // every commit that waits. A primary that resumes by itself must come back with it in force.
    name: "rpl_semi_sync_source_enabled",
    want: (desired) =>
      desired.role === "primary"
        ? { scope: "persist-only", value: resumesArmed(desired) ? "ON" : "OFF" }
        : { scope: "persist", value: "OFF" },
  },
  {
    name: "rpl_semi_sync_source_wait_for_replica_count",
    want: (desired) =>
      resumesArmed(desired)
        ? { scope: "persist-only", value: String(desired.ackCount) }
        : { scope: "reset", value: "" },
  },
  // ON throws away what was received and acknowledged, but not yet executed, at every start.
  persistOnly("relay_log_recovery", "OFF"),
  // A restarted server receives from nobody until it is told to: that keeps a revoked acknowledger revoked.
  persistOnly("skip_replica_start", "ON"),
  {
    // A restarted primary stays closed until Ordinal knows that it still is the primary. With a single
    // member nobody else could be, and nobody would open it again; and one that resumes by itself is opened
    // by its ackers: no commit of it is answered without them.
    name: "super_read_only",
    want: (desired) => {
      if (desired.role !== "primary") return { scope: "persist", value: "ON" };
      if (desired.ackCount === 0 || desired.resumes) return { scope: "reset", value: "" };
      return { scope: "persist-only", value: "ON" };
    },
  },
];

function resumesArmed({ role, resumes, ackCount }: DesiredMember): boolean {
  return role === "primary" && resumes && ackCount > 0;
}

function serverId(desired: DesiredMember, facts: ServerFacts): string {
  const current = facts.settings["server_id"] ?? "0";
  // 1 is what every new volume begins with: kept by one member it would collide with the next new one.
  const taken = new Set(["0", "1", ...desired.takenNumbers]);
  if (!taken.has(current)) return current;
  let candidate = 100 + desired.ordinal;
  while (taken.has(String(candidate))) candidate += 1000;
  return String(candidate);
}

/** What differs on this server, by name, in the form that `settingStatement` takes. */
export function missingSettings(facts: ServerFacts, desired: DesiredMember): Record<string, string> {
  const missing: Record<string, string> = {};
  for (const { name, want } of SETTINGS) {
    const wanted = want(desired, facts);
    if (wanted === null) continue;
    const { scope, value } = wanted;
    const persisted = facts.settings[`persisted:${name}`];
    const right =
      (scope === "reset" ? persisted === undefined : same(persisted, value)) &&
      (scope !== "persist" || same(facts.settings[name], value));
    if (!right) missing[name] = scope === "reset" ? scope : `${scope} ${value}`;
  }
  return missing;
}

/** The server prints switches as ON or as 1, depending on how they were set. */
function same(have: string | undefined, want: string): boolean {
  if (have === undefined) return false;
  const plain = have.toUpperCase();
  if (want === "ON") return plain === "ON" || plain === "1";
  if (want === "OFF") return plain === "OFF" || plain === "0";
  return plain === want;
}

const STATEMENTS = { persist: "SET PERSIST", "persist-only": "SET PERSIST_ONLY" } as const;

/** All of these also work on a read-only server, need no restart and are not replicated. */
export function settingStatement(name: string, change: string): string {
  assert(
    SETTINGS.some((setting) => setting.name === name),
    `no setting of ours: ${name}`,
  );
  if (change === "reset") return `RESET PERSIST IF EXISTS ${name}`;
  const [, scope, value] = /^(persist|persist-only) (ON|OFF|AFTER_SYNC|\d{1,12})$/.exec(change) ?? [];
  assert(value !== undefined, `no change of a setting: ${change}`);
  return `${STATEMENTS[scope as keyof typeof STATEMENTS]} ${name} = ${value}`;
}
