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

export function since(instant: string, { nowMs }: Here): string {
  return age(nowMs - Date.parse(instant));
}

/** Local time with tenths; with its date unless that is today. */
export function localTime(instant: string, { nowMs, timeZone }: Here): string {
  // Swedish writes dates and times as ISO 8601 does.
  const zone = timeZone === undefined ? {} : { timeZone };
  const format = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium", ...zone });
  const ms = Date.parse(instant);
  const [date = "", time = ""] = format.format(ms).split(" ");
  const [today] = format.format(nowMs).split(" ");
  const tenths = `${time}.${Math.floor((((ms % 1000) + 1000) % 1000) / 100)}`;
  return date === today ? tenths : `${date} ${tenths}`;
}
