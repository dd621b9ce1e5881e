/**
 * What a statement of ours makes of the facts of a server: settings, plugins, tables and accounts, so that a plan can be
 * thought through to its end. Pure, and only ever a foresight; what moves transactions is not in it.
 */
import { withChanges } from "../../model/changes.ts";
import type { ServerFacts } from "../../model/server.ts";
import { PLUGINS } from "./plugins.ts";

type Effect = Readonly<Record<string, string | null>>;

/** By the form of the statement; null takes away. */
const EFFECTS: readonly (readonly [RegExp, (...parts: string[]) => Effect])[] = [
  [/^SET (?:GLOBAL|PERSIST) (\w+) = (\w+)$/, (name = "", value = "") => ({ [name]: value })],
  [/^SET PERSIST(?:_ONLY)? (\w+) = (\w+)$/, (name = "", value = "") => ({ [`persisted:${name}`]: value })],
  // One includes the other.
  [/^SET (?:GLOBAL|PERSIST) super_read_only = ON$/, () => ({ read_only: "ON" })],
  [/^SET GLOBAL read_only = OFF$/, () => ({ super_read_only: "OFF" })],
  [/^RESET PERSIST IF EXISTS (\w+)$/, (name = "") => ({ [`persisted:${name}`]: null })],
  [
    /^INSTALL PLUGIN (\w+) /,
    (name = "") => {
      const variable = PLUGINS[name]?.variable;
      return variable === undefined ? {} : { [variable]: "OFF" };
    },
  ],
  [/^CREATE TABLE IF NOT EXISTS ordinal\.(\w+) /, (name = "") => ({ [`table:${name}`]: "present" })],
  [
    /^ALTER USER '(\w+)'@'%' IDENTIFIED .* ATTRIBUTE '(.+)'$/,
    (name = "", attribute = "") => ({ [`account:${name}`]: attribute }),
  ],
];

/** `statement`: as one line. */
export function afterStatement(facts: ServerFacts, statement: string): ServerFacts {
  const effects = EFFECTS.flatMap(([pattern, effect]) => {
    const match = pattern.exec(statement);
    return match === null ? [] : [effect(...match.slice(1))];
  });
  if (effects.length === 0) return facts;
  const changes: Effect = Object.assign({}, ...effects);
  const is = (name: string, before: boolean): boolean =>
    changes[name] === undefined ? before : changes[name] === "ON";
  const count = changes["rpl_semi_sync_source_wait_for_replica_count"];
  const { acks } = facts;
  return {
    ...facts,
    readOnly: is("read_only", facts.readOnly),
    offline: is("offline_mode", facts.offline),
    acks: {
      ...acks,
      required: is("rpl_semi_sync_source_enabled", acks.required),
      count: count === undefined ? acks.count : Number(count),
      given: is("rpl_semi_sync_replica_enabled", acks.given),
    },
    settings: withChanges(facts.settings, changes),
  };
}
