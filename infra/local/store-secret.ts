/** The Secret that names the S3 server of a local cluster as the store of backups, as a user would write one. */
import type { S3Access } from "./s3.ts";

export type StoreFields = Readonly<Record<string, string>>;

/** `prefix`: the folder in the bucket. The server stands on the node, which only a store that says so may be. */
export function storeFields(access: S3Access, prefix: string): StoreFields {
  return { ...access, prefix, allowInternal: "true" };
}

/** Its manifest, as JSON. */
export function storeSecret(name: string, fields: StoreFields): string {
  return JSON.stringify({ apiVersion: "v1", kind: "Secret", metadata: { name }, stringData: fields });
}
