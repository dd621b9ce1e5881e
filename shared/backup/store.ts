/**
 * Reads the Secret that describes a store. Strict: an unknown field is most often a misspelt one, and a backup
 * that silently goes elsewhere or is not encrypted is found out when it is too late. Messages name fields, never
 * what stands in them.
 */
import * as z from "zod";
import { endpointProblem } from "../model/endpoint.ts";
import { fail, type Outcome, succeed } from "../model/outcome.ts";
import type { Store } from "../model/store.ts";
import { parseIdentity, parseRecipient } from "./age-keys.ts";

const text = z.string().trim().min(1).max(1024);
const flag = z.enum(["true", "false"]);

const certificates = /^(?:\s*-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----)+\s*$/;
/** Of general purpose buckets; nothing in it needs escaping in a path. */
const bucketName = /^(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9](?:[a-z0-9-]|\.(?=[a-z0-9])){1,61}[a-z0-9]$/;
/** Letters that every store, tool and shell takes as they are; no part is empty, `.` or `..`. */
const prefixPath = /^\/?(?:(?!\.\.?(?:\/|$))[A-Za-z0-9_.=-]+(?:\/(?!$)|\/?$))*$/;

const storeSchema = z.strictObject({
  endpoint: text.max(300).optional(),
  region: z
    .string()
    .trim()
    .regex(/^[A-Za-z0-9-]{1,64}$/),
  bucket: z.string().trim().regex(bucketName),
  prefix: z.string().trim().max(512).regex(prefixPath).default(""),
  accessKeyId: text.regex(/^[\x21-\x7e]+$/).optional(),
  secretAccessKey: text.regex(/^[\x21-\x7e]+$/).optional(),
  iam: flag.default("false"),
  caBundle: z
    .string()
    .max(1024 * 1024)
    .regex(certificates)
    .optional(),
  checksum: z.enum(["sha256", "none"]).default("sha256"),
  ageRecipient: z.string().max(8192).optional(),
  ageIdentity: text.optional(),
  allowInternal: flag.default("false"),
});

type Fields = z.infer<typeof storeSchema>;

const EXPECTED: Readonly<Record<keyof Fields, string>> = {
  endpoint: "a URL such as https://s3.example.com:9000",
  region: "a name such as eu-central-1",
  bucket: "the name of a bucket",
  prefix: "a path of letters, digits and _ . = -",
  accessKeyId: "the id of an access key",
  secretAccessKey: "the secret of the access key",
  iam: "true or false",
  caBundle: "certificates in PEM",
  checksum: "sha256 or none",
  ageRecipient: "one or several public keys that begin with age1",
  ageIdentity: "a private key that begins with AGE-SECRET-KEY-1",
  allowInternal: "true or false",
};

/** `values` are those of the Secret in clear. `refused` with one sentence when anything about them is wrong. */
export function parseStore(name: string, values: Readonly<Record<string, string>>): Outcome<Store> {
  const parsed = storeSchema.safeParse(values);
  if (!parsed.success) return wrong(name, complaint(parsed.error));
  const fields = parsed.data;
  const key = keyOf(fields);
  if (key === null) {
    return wrong(name, "needs either accessKeyId and secretAccessKey, or iam: true and neither of them");
  }
  const allowInternal = fields.allowInternal === "true";
  const endpoint = endpointOf(fields);
  if (endpoint === null) return wrong(name, misfit("endpoint"));
  const reason = endpointProblem(endpoint, allowInternal);
  if (reason !== null) return wrong(name, `must have another endpoint: ${reason}`);
  const age = ageKeysOf(fields);
  if (typeof age === "string") return wrong(name, age);
  return succeed({
    name,
    endpoint,
    key,
    allowInternal,
    ...age,
    region: fields.region,
    bucket: fields.bucket,
    prefix: fields.prefix.replace(/^\/|\/$/g, ""),
    caBundle: fields.caBundle ?? null,
    checksum: fields.checksum,
  });
}

function wrong(name: string, what: string): Outcome<never> {
  return fail("refused", `The Secret ${name} of the backup store ${what}.`);
}

const misfit = (field: keyof Fields): string => `must have in ${field} ${EXPECTED[field]}`;

const isField = (name: unknown): name is keyof Fields => Object.hasOwn(EXPECTED, String(name));

/** Only the first; a name that we do not know is quoted only if it looks like a name. */
function complaint(error: z.ZodError): string {
  const issue = error.issues[0];
  const field = issue?.path[0];
  if (isField(field)) return misfit(field);
  const unknown = issue?.code === "unrecognized_keys" ? (issue.keys[0] ?? "") : "";
  const quoted = /^[A-Za-z0-9_.-]{1,40}$/.test(unknown) ? ` ${unknown}` : "";
  return `has a field${quoted} that is not known; known are ${Object.keys(EXPECTED).join(", ")}`;
}

function keyOf({ iam, accessKeyId, secretAccessKey }: Fields): Store["key"] | null {
  if (iam === "true") return accessKeyId || secretAccessKey ? null : { kind: "iam" };
  return accessKeyId && secretAccessKey ? { kind: "static", accessKeyId, secretAccessKey } : null;
}

/** Amazon's own for the region when none is named. */
function endpointOf({ endpoint, region }: Fields): URL | null {
  return URL.parse(endpoint ?? `https://s3.${region.toLowerCase()}.amazonaws.com`);
}

function ageKeysOf({
  ageRecipient,
  ageIdentity,
}: Fields): Pick<Store, "ageRecipients" | "ageIdentity"> | string {
  const recipients = (ageRecipient ?? "").split(/[\s,]+/).filter((one) => one !== "");
  if (recipients.some((one) => parseRecipient(one) === null)) return misfit("ageRecipient");
  if (ageIdentity === undefined) {
    return ageRecipient !== undefined && recipients.length === 0
      ? misfit("ageRecipient")
      : { ageRecipients: recipients, ageIdentity: null };
  }
  const identity = parseIdentity(ageIdentity);
  if (identity === null) return misfit("ageIdentity");
  return recipients.includes(identity.recipient)
    ? { ageRecipients: recipients, ageIdentity }
    : "must have in ageRecipient the public key of its ageIdentity";
}
