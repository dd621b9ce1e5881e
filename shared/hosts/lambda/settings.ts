/**
 * What a function on Lambda is told by its environment, checked before anything is done. AWS itself says who we are and in
 * which region; serverless.yml says the rest. A message never holds a value: some of them are secrets.
 */
import * as z from "zod/mini";
import { SECRET } from "../signature.ts";

const text = z.string().check(z.minLength(1));

export const settingsSchema = z.object({
  /** As EKS names it: `https://….eks.amazonaws.com`. */
  ORDINAL_CLUSTER_ENDPOINT: z.url({ protocol: /^https$/ }),
  /** The authority as EKS gives it, PEM in base64. */
  ORDINAL_CLUSTER_CA: z.pipe(
    z.base64(),
    z
      .transform((given: string) => Buffer.from(given, "base64").toString("utf8"))
      .check(z.refine((pem) => pem.includes("BEGIN CERTIFICATE"), "must be a certificate, PEM in base64")),
  ),
  ORDINAL_CLUSTER_NAME: z.string().check(z.regex(/^[0-9A-Za-z][\w-]{0,99}$/)),
  /** Separated by spaces; empty = all. */
  ORDINAL_NAMESPACES: z.pipe(
    z._default(z.string(), ""),
    z.transform((list: string) => list.split(/[\s,]+/).filter((name) => name !== "")),
  ),
  ORDINAL_FORWARD_SECRET: z.optional(SECRET),
  ORDINAL_JOB_IMAGE: z._default(z.string().check(z.regex(/^(?:[a-z0-9][\w.:/@-]{0,511})?$/)), ""),
  AWS_REGION: z.string().check(z.regex(/^[a-z]{2}(?:-[a-z]+)+-\d+$/)),
  AWS_ACCESS_KEY_ID: text,
  AWS_SECRET_ACCESS_KEY: text,
  AWS_SESSION_TOKEN: z.optional(text),
});

export type Settings = z.infer<typeof settingsSchema>;

/** Throws with the names of what is missing or wrong: the deployment has to be put right. */
export function readSettings(env: Readonly<Record<string, string | undefined>>): Settings {
  const read = settingsSchema.safeParse(env);
  if (read.success) return read.data;
  const names = [...new Set(read.error.issues.map(({ path }) => path.join(".")))];
  throw new Error(`missing or wrong in the environment: ${names.join(", ")}; see docs/lambda.md`);
}
