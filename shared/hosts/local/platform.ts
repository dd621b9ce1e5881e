/** The real clock, chance and log lines of a process. Its only effects are timers and standard error. */
import { randomInt } from "node:crypto";
import { oneLine } from "../../annotations/text.ts";
import type { Clock, Ids, Log, LogFields } from "../../ports/host.ts";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const FRACTION_STEPS = 2 ** 32;

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

export const systemIds: Ids = {
  password: () => Array.from({ length: 32 }, () => ALPHABET[randomInt(ALPHABET.length)]).join(""),
  fraction: () => randomInt(FRACTION_STEPS) / FRACTION_STEPS,
};

export type LogFormat = "json" | "text";

/** Texts are quoted as JSON where they could be taken for more than one field or line. */
function textValue(value: LogFields[string]): string {
  return typeof value === "string" && !/^[\w./:+-]+$/.test(value) ? JSON.stringify(value) : String(value);
}

function line(format: LogFormat, level: "info" | "warn", message: string, fields: LogFields): string {
  const own = { at: new Date().toISOString(), level, message };
  const present = Object.entries(fields).filter(([, value]) => value !== undefined);
  // Twice: first in the line, and not to be replaced by a field of the same name.
  if (format === "json") return JSON.stringify({ ...own, ...Object.fromEntries(present), ...own });
  const texts = present.map(([name, value]) => `${name}=${textValue(value)}`);
  return [own.at, level === "warn" ? "WARN" : "info", message, ...texts].join(" ");
}

export function createLog(
  format: LogFormat,
  write = (text: string): unknown => process.stderr.write(text),
): Log {
  // JSON leaves whole what turns the direction of writing or drives a terminal; its escapes are JSON's own.
  const put = (level: "info" | "warn", message: string, fields: LogFields): void =>
    void write(`${oneLine(line(format, level, message, fields), Number.POSITIVE_INFINITY)}\n`);
  return {
    info: (message, fields = {}) => put("info", message, fields),
    warn: (message, fields = {}) => put("warn", message, fields),
  };
}
