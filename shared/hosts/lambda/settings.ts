/**
 * What a function on Lambda is told by its environment, checked before anything is done. AWS itself says who we are and in
 * which region; serverless.yml says the rest. A message never holds a value: some of them are secrets.
 */
import * as z from "zod";
import { SECRET } from "../signature.ts";

const text = z.string().min(1);

export const settingsSchema = z.object({
  /** As EKS names it: `https://….eks.amazonaws.com`. */
  ORDINAL_CLUSTER_ENDPOINT: z.url({ protocol: /^https$/ }),
  /** The authority as EKS gives it, PEM in base64. */
  ORDINAL_CLUSTER_CA: z
    .base64()
    .transform((given) => Buffer.from(given, "base64").toString("utf8"))
    .refine((pem) => pem.includes("BEGIN CERTIFICATE"), "must be a certificate, PEM in base64"),
  ORDINAL_CLUSTER_NAME: z.string().regex(/^[0-9A-Za-z][\w-]{0,99}$/),
  /** Separated by spaces; empty = all. */
  ORDINAL_NAMESPACES: z
    .string()
    .default("")
    .transform((list) => list.split(/[\s,]+/).filter((name) => name !== "")),
  ORDINAL_FORWARD_SECRET: SECRET.optional(),
  ORDINAL_JOB_IMAGE: z
    .string()
    .regex(/^(?:[a-z0-9][\w.:/@-]{0,511})?$/)
    .default(""),
  AWS_REGION: z.string().regex(/^[a-z]{2}(?:-[a-z]+)+-\d+$/),
  AWS_ACCESS_KEY_ID: text,
  AWS_SECRET_ACCESS_KEY: text,
  AWS_SESSION_TOKEN: text.optional(),
});

export type Settings = z.infer<typeof settingsSchema>;

/** Throws with the names of what is missing or wrong: the deployment has to be put right. */
export function readSettings(env: Readonly<Record<string, string | undefined>>): Settings {
  const read = settingsSchema.safeParse(env);
  if (read.success) return read.data;
  const names = [...new Set(read.error.issues.map(({ path }) => path.join(".")))];
  throw new Error(`missing or wrong in the environment: ${names.join(", ")}; see docs/lambda.md`);
}
