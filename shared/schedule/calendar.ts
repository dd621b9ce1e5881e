/** Days, weeks and months of one time zone, as names that are equal when two instants lie in the same one. */

export interface Calendar {
  readonly day: (ms: number) => string;
  /** From Monday to Sunday; named by its Monday. */
  readonly week: (ms: number) => string;
  readonly month: (ms: number) => string;
}

const DAY_MS = 86_400_000;

/** Throws on a name that is no time zone. */
export function calendarOf(timeZone: string): Calendar {
  const format = new Intl.DateTimeFormat("en-CA", {
    timeZone,
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
  });
  const day = (ms: number): string => {
    const parts = new Map(format.formatToParts(ms).map(({ type, value }) => [type, value]));
    return `${parts.get("year")}-${parts.get("month")}-${parts.get("day")}`;
  };
  const week = (ms: number): string => {
    // Days of a calendar are all of the same length in UTC.
    const midnight = Date.parse(`${day(ms)}T00:00:00Z`);
    const sinceMonday = (new Date(midnight).getUTCDay() + 6) % 7;
    return new Date(midnight - sinceMonday * DAY_MS).toISOString().slice(0, 10);
  };
  return { day, week, month: (ms) => day(ms).slice(0, 7) };
}
