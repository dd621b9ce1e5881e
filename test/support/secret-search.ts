/**
 * Looks for secrets where they must not be: in logs, in objects, in what was asked of the API server, in the arguments
 * of every process of the machine. A finding names the secret and the place, and never the secret itself.
 */
import { createReadStream, readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import * as z from "zod";

export interface NamedSecret {
  readonly name: string;
  readonly value: string;
}

export interface Told {
  readonly where: string;
  readonly text: string;
}

/** Shorter ones are found by chance, and nobody should have them. */
const CHARS_MIN = 8;

/** In the middle of something longer, base64 looks in one of three ways; the characters at its ends depend on that. */
function base64Forms(value: string): readonly string[] {
  return [0, 1, 2].map((before) => {
    const text = Buffer.from(`${"\0".repeat(before)}${value}`)
      .toString("base64")
      .replace(/=+$/, "");
    return text.slice(
      before === 0 ? 0 : before + 1,
      (Buffer.byteLength(value) + before) % 3 === 0 ? undefined : -1,
    );
  });
}

/** As it is, and as it looks once it has been put into JSON, a URL, or a Secret. */
function formsOf(value: string): readonly string[] {
  const base64 = base64Forms(value);
  const all = [
    value,
    JSON.stringify(value).slice(1, -1),
    encodeURIComponent(value),
    Buffer.from(value).toString("hex"),
    ...base64,
    ...base64.map((text) => text.replaceAll("+", "-").replaceAll("/", "_")),
  ];
  return [...new Set(all)].filter((form) => form.length >= CHARS_MIN);
}

/** One line for each secret and each place in which it stands. */
export function findSecrets(secrets: readonly NamedSecret[], told: readonly Told[]): readonly string[] {
  return secrets
    .filter(({ value }) => value.length >= CHARS_MIN)
    .flatMap(({ name, value }) => {
      const forms = formsOf(value);
      const places = told.filter(({ text }) => forms.some((form) => text.includes(form)));
      return places.map(({ where }) => `${name} stands in ${where}`);
    });
}

const secretsSchema = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string() }),
      data: z.record(z.string(), z.string()).default({}),
    }),
  ),
});

/** What the Secret of a store holds beside its secrets: short words that stand everywhere, and that anybody may know. */
const KNOWN_TO_ALL: ReadonlySet<string> = new Set([
  ...["endpoint", "region", "bucket", "prefix", "iam", "checksum", "allowInternal"],
  ...["accessKeyId", "ageRecipient", "caBundle"],
]);

/** From the list of a namespace's Secrets as the API server prints it. */
export function secretsIn(json: string): readonly NamedSecret[] {
  return secretsSchema.parse(JSON.parse(json)).items.flatMap(({ metadata, data }) =>
    Object.entries(data)
      .filter(([key]) => !KNOWN_TO_ALL.has(key))
      .map(([key, value]) => ({
        name: `${key} of Secret ${metadata.name}`,
        value: Buffer.from(value, "base64").toString("utf8"),
      })),
  );
}

export interface ArgumentWatch {
  /** Arguments of every process that has been seen since. */
  stop(): readonly Told[];
}

const SAMPLE_MS = 200;

function argumentsNow(): readonly string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, "utf8")];
      } catch {
        // It has ended meanwhile.
        return [];
      }
    });
}

/** A process that lives for less than a sample may be missed; one that is started again and again is not. */
export function watchArguments(): ArgumentWatch {
  const seen = new Set<string>();
  const look = (): void => {
    for (const text of argumentsNow()) seen.add(text.replaceAll("\0", " "));
  };
  look();
  const timer = setInterval(look, SAMPLE_MS).unref();
  return {
    stop() {
      clearInterval(timer);
      look();
      return [...seen].map((text) => ({ where: `the arguments of ${text.slice(0, 30)}`, text }));
    },
  };
}

const lineSchema = z.looseObject({
  userAgent: z.string().default(""),
  objectRef: z.looseObject({ resource: z.string(), namespace: z.string().default("") }).optional(),
});

/** Requests of ours in a namespace, with their bodies where the log has them; those on Secrets hold secrets by right. */
export async function auditedRequests(auditLog: string, namespace: string): Promise<readonly Told[]> {
  const requests: Told[] = [];
  for await (const text of createInterface({ input: createReadStream(auditLog) })) {
    if (!text.includes('"ordinal/')) continue;
    const { userAgent, objectRef } = lineSchema.parse(JSON.parse(text));
    const isOurs = userAgent.startsWith("ordinal/") && objectRef?.namespace === namespace;
    if (isOurs && objectRef.resource !== "secrets")
      requests.push({ where: `a request for ${objectRef.resource}`, text });
  }
  return requests;
}
