/**
 * An S3 server over a folder, with one bucket for backups, on the node's address.
 *
 * Reachable from pods and from this machine under one address. The keys are the instance's own and
 * random; the bucket is a folder that is there before the server starts.
 */

import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { type Component, isListening } from "./components.ts";
import type { Instance } from "./instance.ts";

export const s3Schema = z.object({
  endpoint: z.string(),
  accessKeyId: z.string(),
  secretAccessKey: z.string(),
  region: z.string(),
  bucket: z.string(),
});

export type S3Access = z.infer<typeof s3Schema>;

const port = 7070;

export function s3Server(instance: Instance, program: string): Component {
  const access = readS3Access(instance.folder) ?? newAccess(instance);
  const objects = join(instance.folder, "s3", "objects");
  mkdirSync(join(objects, access.bucket), { recursive: true });
  return {
    name: "s3",
    program,
    args: [`--port=${instance.nodeAddress}:${port}`, `--region=${access.region}`, "posix", objects],
    // In the environment, because everybody on the machine can read a program's arguments.
    env: { ROOT_ACCESS_KEY: access.accessKeyId, ROOT_SECRET_KEY: access.secretAccessKey },
    answers: () => isListening(instance.nodeAddress, port),
  };
}

export function readS3Access(folder: string): S3Access | undefined {
  const file = join(folder, "s3", "access.json");
  return existsSync(file) ? s3Schema.parse(JSON.parse(readFileSync(file, "utf8"))) : undefined;
}

function newAccess(instance: Instance): S3Access {
  const access: S3Access = {
    endpoint: `http://${instance.nodeAddress}:${port}`,
    accessKeyId: `ordinal-${instance.name}`,
    secretAccessKey: randomBytes(20).toString("hex"),
    region: "us-east-1",
    bucket: "backups",
  };
  mkdirSync(join(instance.folder, "s3"), { recursive: true, mode: 0o700 });
  writeFileSync(join(instance.folder, "s3", "access.json"), JSON.stringify(access), { mode: 0o600 });
  return access;
}
