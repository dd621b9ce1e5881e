/**
 * What a user may write as a schedule. The grammar is the plain one that every cron has in common; extensions of single
 * programs (`@daily`, `L`, `W`, `#`, `?`, seconds) are refused, since they mean other things elsewhere.
 */
import { Cron } from "croner";
import type { Schedule } from "../model/schedule.ts";

interface Field {
  readonly name: string;
  readonly least: number;
  readonly most: number;
  /** In order, the first one being `least`. */
  readonly words: readonly string[];
}

const MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const FIELDS: readonly Field[] = [
  { name: "minute", least: 0, most: 59, words: [] },
  { name: "hour", least: 0, most: 23, words: [] },
  { name: "day of the month", least: 1, most: 31, words: [] },
  { name: "month", least: 1, most: 12, words: MONTHS },
  { name: "day of the week", least: 0, most: 7, words: DAYS },
];

/** `*`, a value or a range, and a step that a single value cannot have. */
const ITEM = /^(?:(\*)|([0-9]{1,2}|[A-Z]{3})(?:-([0-9]{1,2}|[A-Z]{3}))?)(?:\/([0-9]{1,2}))?$/;

function numberOf({ least, words }: Field, text: string): number {
  const place = words.indexOf(text);
  return place === -1 ? Number(text) : place + least;
}

function isInside({ least, most }: Field, value: number): boolean {
  return value >= least && value <= most;
}

function isItem(field: Field, item: string): boolean {
  const [, all, from = "", to, step] = ITEM.exec(item.toUpperCase()) ?? [];
  if (step !== undefined && (Number(step) < 1 || Number(step) > field.most)) return false;
  if (all !== undefined) return true;
  const first = numberOf(field, from);
  if (from === "" || !isInside(field, first)) return false;
  if (to === undefined) return step === undefined;
  // A week may end with its Sunday.
  const last = to === "SUN" ? 7 : numberOf(field, to);
  return isInside(field, last) && first <= last;
}

const EXAMPLE = "such as 0 3 * * * for every night at three";
/** Nobody writes more, and all of it is kept in the memory of the schedule. */
const CRON_CHARS_MAX = 128;

/** The library's view of a schedule; it holds no timer, since it is given nothing to run. */
export function cronOf({ cron, timeZone }: Schedule): Cron {
  return new Cron(cron, { mode: "5-part", timezone: timeZone, fixedTimeRule: "no-wildcard", paused: true });
}

/** How to correct it, as the end of a sentence; null when nothing is wrong with it. */
export function cronFault(cron: string): string | null {
  const parts = cron.split(" ");
  if (cron.length > CRON_CHARS_MAX) return `set it to at most ${CRON_CHARS_MAX} characters, ${EXAMPLE}`;
  if (parts.length !== FIELDS.length) return `set it to five fields with one space between them, ${EXAMPLE}`;
  for (const [index, field] of FIELDS.entries()) {
    if (parts[index]?.split(",").every((item) => isItem(field, item))) continue;
    const { name, least, most } = field;
    return `its ${name} must be *, numbers from ${least} to ${most}, ranges or lists of them, and steps such as */5 or 1-9/2`;
  }
  const first = cronOf({ cron, timeZone: "UTC" }).nextRun(new Date(0));
  return first === null ? `no month has such a day, so it never comes; change it, ${EXAMPLE}` : null;
}

/** Names, not offsets: an offset knows nothing of summer time. */
const ZONE = /^[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+)*$/;
const ZONE_CHARS_MAX = 64;

function isZone(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone });
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** How to correct it, as the end of a sentence; null when this host's time zone database has it. */
export function timeZoneFault(timeZone: string): string | null {
  if (timeZone.length <= ZONE_CHARS_MAX && ZONE.test(timeZone) && isZone(timeZone)) return null;
  return "set it to the IANA name of a time zone, such as Europe/Berlin or UTC";
}
