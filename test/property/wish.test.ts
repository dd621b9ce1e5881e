/** A wish, by its grammar said once more in another way: no text gets into a spec that the grammar does not allow. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { ANNOTATION, KEYS } from "../../shared/annotations/keys.ts";
import { parseWish } from "../../shared/annotations/wish.ts";
import { MEMBERS_MAX } from "../../shared/model/state.ts";
import { cronFault, timeZoneFault } from "../../shared/schedule/cron.ts";
import { propertyRuns } from "../support/property-runs.ts";
import { setWith } from "../unit/annotations/support.ts";

const MANY_RUNS = { numRuns: propertyRuns(10_000) };

const text = (maxLength: number) => fc.string({ unit: "binary", maxLength });

/** The grammar once more, said another way. */
function valid(key: string, value: string): boolean {
  if (new TextEncoder().encode(value).length > 1024) return false;
  if (key === ANNOTATION.engine) return value === "mysql";
  if (key === ANNOTATION.pause) return value === "true" || value === "false";
  if (key === ANNOTATION.failover) return value === "auto" || value === "manual";
  if (key === ANNOTATION.onRestart) return value === "wait" || value === "resume";
  if (key === ANNOTATION.servicesOnRelease) return value === "keep" || value === "remove";
  if (key === ANNOTATION.approve || key === ANNOTATION.acceptDataLoss) {
    return /^e[0-9]{1,9}$/.test(value) && value[1] !== "0";
  }
  if (key === ANNOTATION.replicas)
    return (
      /^[0-9]+$/.test(value) &&
      String(Number(value)) === value &&
      Number(value) >= 1 &&
      Number(value) <= MEMBERS_MAX
    );
  if ([ANNOTATION.credentials, ANNOTATION.switchoverTo, ANNOTATION.backupStore].some((one) => one === key)) {
    const inside = value
      .split(".")
      .every((part) => /^[a-z0-9-]+$/.test(part) && !part.startsWith("-") && !part.endsWith("-"));
    return inside && value.length <= 253;
  }
  if (key === ANNOTATION.replicas) return /^[1-9]\d?$/.test(value) && Number(value) <= 33;
  if (key === ANNOTATION.archive) return value === "true" || value === "false";
  // No value here is the JSON of a restore.
  if (key === ANNOTATION.restoreFrom) return false;
  if ([ANNOTATION.restoreUndo, ANNOTATION.restoreForget].some((one) => one === key))
    return /^[a-z0-9-]+$/.test(value) && !value.startsWith("-") && value.length <= 32;
  if (key === ANNOTATION.backupSchedule) return cronFault(value) === null;
  if (key === ANNOTATION.backupTimezone) return timeZoneFault(value) === null;
  if (key === ANNOTATION.backupMethod) return ["physical", "logical"].includes(value);
  if (key === ANNOTATION.backupProof) return ["daily", "each", "never"].includes(value);
  if (key === ANNOTATION.backupNow) return ["true", "physical", "logical"].includes(value);
  if (key === ANNOTATION.proveNow) {
    const ms = Date.parse(value);
    const slot = Number.isNaN(ms) ? null : new Date(ms).toISOString().replace(".000Z", "Z");
    return value === "true" || value === slot;
  }
  if (key === ANNOTATION.backupDatabases) {
    const names = value.split(",");
    const plain = names.every((name) => /^[\w$-]+$/.test(name) && !name.startsWith("-") && name.length <= 64);
    return plain && names.length === new Set(names).size;
  }
  if (key === ANNOTATION.backupRetention) {
    const numbers = value.split(",").map((part) => part.replace(/[dwm]$/, ""));
    const units = value.split(",").map((part, index) => part.slice(numbers[index]?.length));
    const inside = numbers.every(
      (text) => /^[1-9]/.test(text) && String(Number(text)) === text && Number(text) < 1000,
    );
    return inside && units.length === new Set(units).size && (units.length === 1 || !units.includes(""));
  }
  const least = { [ANNOTATION.maxLag]: 1000, [ANNOTATION.backupDeadline]: 60_000 }[key] ?? 0;
  if (value === "0") return least === 0;
  const unit = value.endsWith("ms") ? "ms" : value.slice(-1);
  const digits = value.slice(0, value.length - unit.length);
  const ms = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[unit];
  if (ms === undefined || !/^(0|[1-9][0-9]*)$/.test(digits)) return false;
  return Number(digits) * ms >= least && Number(digits) * ms <= 86_400_000;
}

type Annotations = Readonly<Record<string, string>>;

/** Databases are named for a method that holds all of them. */
function isMixed(annotations: Annotations): boolean {
  const logical = annotations[ANNOTATION.backupMethod] === "logical";
  return ANNOTATION.backupDatabases in annotations && ANNOTATION.backupStore in annotations && !logical;
}

function isOfBackups(key: string): boolean {
  return key.startsWith("ordinal.dev/backup-") || key === ANNOTATION.proveNow || key === ANNOTATION.archive;
}

/** Settings of backups that have nowhere to go. */
function isHomeless(annotations: Annotations): boolean {
  const some = Object.keys(annotations).some((key) => isOfBackups(key));
  return some && !(ANNOTATION.backupStore in annotations);
}

test("wish: never throws, and an invalid value is told, blocks unless it is about backups, and is never in the spec", () => {
  const duration = fc
    .tuple(fc.nat(100_000), fc.constantFrom("ms", "s", "m", "h", "d", "", "S"))
    .map(([n, unit]) => `${n}${unit}`);
  const value = fc.oneof(
    fc.constantFrom(
      "mysql",
      "mysql-root",
      "true",
      "false",
      "keep",
      "remove",
      "auto",
      "manual",
      "wait",
      "resume",
      "0",
      "0s",
      "e7",
      "e0",
      "10s",
      "True",
      "mysql ",
      "10",
      "logical",
      "each",
      "0 3 * * *",
      "Europe/Berlin",
      "shop,crm",
      "7d,4w,6m",
      "7d,4d",
      "6h",
    ),
    duration,
    text(60),
    fc.string({ unit: fc.constantFrom("a", "-", ".", "0"), maxLength: 260 }),
  );
  const userKeys = Object.values(KEYS).flatMap(({ key, writer }) => (writer === "user" ? [key] : []));
  const key = fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(...userKeys) },
    text(20).map((end) => `ordinal.dev/_${end}`),
    text(20),
  );
  fc.assert(
    fc.property(fc.dictionary(key, value, { maxKeys: 8 }), fc.boolean(), (rest, asked) => {
      const annotations = asked
        ? { [ANNOTATION.engine]: "mysql", [ANNOTATION.credentials]: "root", ...rest }
        : rest;
      const { managed, spec, problems, servicesOnRelease } = parseWish(setWith(annotations));
      expect(managed).toBe(ANNOTATION.engine in annotations);
      const judged = managed ? userKeys : [ANNOTATION.servicesOnRelease];
      const wrong = Object.entries(annotations).filter(
        ([one, raw]) => judged.some((known) => known === one) && !valid(one, raw),
      );
      const missing = managed && !(ANNOTATION.credentials in annotations) ? 1 : 0;
      const unknown = Object.keys(annotations).filter(
        (one) => one.startsWith("ordinal.dev/") && !userKeys.includes(one),
      );
      const slips = wrong.map(([one]) => one).filter(isOfBackups);
      const requests: readonly string[] = [ANNOTATION.backupNow, ANNOTATION.proveNow];
      const settings = slips.filter((one) => !requests.includes(one));
      const unfit = isMixed(annotations)
        ? settings.length === 0
        : slips.length === 0 && isHomeless(annotations);
      expect(problems).toHaveLength(wrong.length + missing + unknown.length + (managed && unfit ? 1 : 0));
      expect(problems.every(({ message }) => message.length <= 200)).toBe(true);
      for (const { code, message, blocks } of problems) {
        const about = isOfBackups(message.split(" ")[0] ?? "");
        expect(blocks, message).toBe(!(about && code === "AnnotationInvalid"));
      }
      expect(problems.every((one) => !/[\p{C}\u2028\u2029]/u.test(one.message))).toBe(true);
      const unusable = wrong.some(([one]) => one === ANNOTATION.engine || one === ANNOTATION.credentials);
      expect(spec === null).toBe(!managed || missing > 0 || unusable);
      if (spec !== null) {
        expect(spec.engine).toBe("mysql");
        expect(valid(ANNOTATION.credentials, spec.credentials)).toBe(true);
        expect(spec.maxLagMs).toBeGreaterThanOrEqual(1000);
        expect(spec.maxLagMs).toBeLessThanOrEqual(86_400_000);
        const asked = ANNOTATION.backupStore in annotations && settings.length === 0 && !isMixed(annotations);
        expect(spec.backup !== null).toBe(asked);
      }
      expect(["keep", "remove"]).toContain(servicesOnRelease);
    }),
    MANY_RUNS,
  );
});
