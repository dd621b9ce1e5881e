/** Instants to the microsecond, as servers note their commits; the language's own go to the millisecond. */

const SECOND_US = 1_000_000;
const DIGITS = 6;

/** Of RFC 3339 with its offset; what is finer is cut off. Microseconds since 1970. */
export function microsecondsOf(text: string): number {
  const [fraction = "", digits = ""] = /\.(\d+)/.exec(text) ?? [];
  const wholeMs = Date.parse(text.replace(fraction, ""));
  return wholeMs * 1_000 + Number(digits.slice(0, DIGITS).padEnd(DIGITS, "0"));
}

/** RFC 3339 in UTC, with all its digits. */
export function instantOf(us: number): string {
  const seconds = Math.floor(us / SECOND_US);
  const whole = new Date(seconds * 1_000).toISOString().replace(/\.\d+Z$/, "");
  return `${whole}.${String(us - seconds * SECOND_US).padStart(DIGITS, "0")}Z`;
}
