/** Numbers and instants for people. Pure: the present and the time zone are given. */

/** What is not known or does not apply. */
export const NONE = "–";

export interface Here {
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  /** IANA name; absent = the machine's. */
  readonly timeZone?: string;
}

/** `4s`, `5m`, `3h`, `12d`: one unit, rounded down, as kubectl does. */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** Below ten seconds a tenth matters; 0 is nothing behind. */
export function lag(ms: number | null): string {
  if (ms === null) return NONE;
  if (ms === 0) return "0s";
  return ms < 10_000 ? `${(Math.ceil(ms / 100) / 10).toFixed(1)}s` : age(ms);
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** Of the largest unit of which there is at least one. */
function unitOf(count: number): number {
  return Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, count)) / 10)));
}

function inUnit(count: number, unit: number): string {
  const number = count / 1024 ** unit;
  return number.toFixed(unit === 0 || number >= 100 ? 0 : 1);
}

/** `512 B`, `1.3 GiB`, `184 MiB`. */
export function bytes(count: number): string {
  const unit = unitOf(count);
  return `${inUnit(count, unit)} ${UNITS[unit]}`;
}

/** `3.4 of 5.0 GiB`, both in the unit of the whole. */
export function bytesOf(count: number, whole: number): string {
  const unit = unitOf(Math.max(count, whole));
  return `${inUnit(count, unit)} of ${inUnit(whole, unit)} ${UNITS[unit]}`;
}

export function since(instant: string, { nowMs }: Here): string {
  return age(nowMs - Date.parse(instant));
}

/** `4s ago`, `in 16h`. */
export function awayFrom(instant: string, { nowMs }: Here): string {
  const ms = nowMs - Date.parse(instant);
  return ms < 0 ? `in ${age(-ms)}` : `${age(ms)} ago`;
}

/** To make one takes longer than to use it a hundred times, and a page shows a thousand instants. */
const formats = new Map<string | undefined, Intl.DateTimeFormat>();

/** Swedish writes dates and times as ISO 8601 does. */
function formatOf(timeZone: string | undefined): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const zone = timeZone === undefined ? {} : { timeZone };
  const made = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium", ...zone });
  formats.set(timeZone, made);
  return made;
}

/** Local time with tenths; with its date unless that is today. */
export function localTime(instant: string, { nowMs, timeZone }: Here): string {
  const format = formatOf(timeZone);
  const ms = Date.parse(instant);
  const [date = "", time = ""] = format.format(ms).split(" ");
  const [today] = format.format(nowMs).split(" ");
  const tenths = `${time}.${Math.floor((((ms % 1000) + 1000) % 1000) / 100)}`;
  return date === today ? tenths : `${date} ${tenths}`;
}
