/**
 * What the user asked for in the way of backups. Where one of its settings cannot be read there is no wish at all: a
 * backup of other databases, or a deletion by another rule than was meant, would be worse than none. The memory of
 * the schedule stays meanwhile, so that nothing is lost by a slip.
 */
import {
  BACKUP_METHODS,
  type BackupMethod,
  type BackupSpec,
  PROOF_POLICIES,
  parseSlot,
  type Retention,
} from "../model/backup.ts";
import type { StatefulSet } from "../model/kube.ts";
import { cronFault, timeZoneFault } from "../schedule/cron.ts";
import { KEYS, type Key } from "./keys.ts";
import { duration, oneOf, type Reader, type Reading, secretName } from "./reading.ts";

const MINUTE_MS = 60_000;

const BACKUP_DEFAULTS = {
  timeZone: "UTC",
  method: "physical",
  deadlineMs: 6 * 60 * MINUTE_MS,
  proof: "daily",
  archive: false,
} as const satisfies Partial<BackupSpec>;

function checked(fault: (raw: string) => string | null): (raw: string) => Reading<string> {
  return (raw) => {
    const wanted = fault(raw);
    return wanted === null ? { value: raw } : { wanted };
  };
}

/** No name that a program could take for an option, and none that somebody has to quote. */
const DATABASE = /^[A-Za-z0-9_$][A-Za-z0-9_$-]{0,63}$/;

function databaseNames(raw: string): Reading<readonly string[]> {
  const names = raw.split(",");
  const wrong = names.find((name) => !DATABASE.test(name));
  if (wrong !== undefined)
    return {
      wanted: "set it to names of databases with commas and no spaces between them, such as shop,crm",
    };
  if (new Set(names).size < names.length) return { wanted: "name each database once" };
  return { value: names };
}

const COUNT = /^[1-9][0-9]{0,2}$/;
const CALENDAR = /^([1-9][0-9]{0,2})([dwm])$/;

function retention(raw: string): Reading<Retention> {
  if (COUNT.test(raw)) return { value: { kind: "count", count: Number(raw) } };
  const parts = raw.split(",").map((part) => CALENDAR.exec(part));
  const units = parts.map((part) => part?.[2]);
  if (units.includes(undefined) || new Set(units).size < units.length) {
    return {
      wanted: "set it to a number of backups such as 14, or to days, weeks and months such as 7d,4w,6m",
    };
  }
  const of = (unit: string) => Number(parts.find((part) => part?.[2] === unit)?.[1] ?? 0);
  return { value: { kind: "calendar", days: of("d"), weeks: of("w"), months: of("m") } };
}

function flag(raw: string): Reading<boolean> {
  const word = oneOf<"true" | "false">(raw, ["true", "false"]);
  return "value" in word ? { value: word.value === "true" } : word;
}

function slotToProve(raw: string): Reading<{ readonly slot: string | null }> {
  if (raw === "true") return { value: { slot: null } };
  const slot = parseSlot(raw);
  return slot === null
    ? { wanted: "set it to true, or to the slot of a backup such as 2026-11-23T03:00:00Z" }
    : { value: { slot } };
}

const SETTINGS: readonly Key[] = [
  KEYS.backupSchedule,
  KEYS.backupTimezone,
  KEYS.backupMethod,
  KEYS.backupDatabases,
  KEYS.backupRetention,
  KEYS.backupDeadline,
  KEYS.backupProof,
  KEYS.archive,
  KEYS.backupNow,
  KEYS.proveNow,
];

/** Null when none are asked for, or when it cannot be read what is asked for; `reader` then holds the problems. */
export function readBackup(annotations: StatefulSet["annotations"], reader: Reader): BackupSpec | null {
  const { read, reject, problems } = reader;
  const before = problems.length;
  const store = read(KEYS.backupStore, null, secretName);
  const cron = read(KEYS.backupSchedule, null, checked(cronFault));
  const timeZone = read(KEYS.backupTimezone, BACKUP_DEFAULTS.timeZone, checked(timeZoneFault));
  const method = read(KEYS.backupMethod, BACKUP_DEFAULTS.method, (raw) => oneOf(raw, BACKUP_METHODS));
  const databases = read(KEYS.backupDatabases, null, databaseNames);
  const kept = read(KEYS.backupRetention, null, retention);
  const deadlineMs = read(KEYS.backupDeadline, BACKUP_DEFAULTS.deadlineMs, duration(MINUTE_MS));
  const proof = read(KEYS.backupProof, BACKUP_DEFAULTS.proof, (raw) => oneOf(raw, PROOF_POLICIES));
  const archive = read(KEYS.archive, BACKUP_DEFAULTS.archive, flag);
  const settled = problems.length === before;
  // Requests that cannot be read are not answered, and do not stop what goes on by the settings.
  const now = read(KEYS.backupNow, null, (raw) =>
    oneOf<"true" | BackupMethod>(raw, ["true", ...BACKUP_METHODS]),
  );
  const proofRequested = read(KEYS.proveNow, null, slotToProve);
  if (!settled) return null;
  if (store === null) {
    const first = SETTINGS.find(({ key }) => annotations[key] !== undefined);
    const what = `is missing: set it to the name of the Secret of a store, or remove ${first?.key}`;
    if (first !== undefined && problems.length === before) reject(KEYS.backupStore, what);
    return null;
  }
  if (databases !== null && method === "physical") {
    const what = `needs ${KEYS.backupMethod.key}: logical, since a physical backup holds all of them`;
    reject(KEYS.backupDatabases, what);
    return null;
  }
  return {
    ...{ store, timeZone, method, databases, deadlineMs, proof, archive },
    schedule: cron === null ? null : { cron, timeZone },
    retention: kept,
    // `true`: by the method that is set.
    requested: now === "true" ? method : now,
    proofRequested,
  };
}
