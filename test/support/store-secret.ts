/** The Secret that names an S3 server of this machine as the store of backups, as a user would write one. */
import type { S3Access } from "../../infra/local/s3.ts";
import type { Store } from "../../shared/model/store.ts";

export type StoreFields = Readonly<Record<string, string>>;

/** `prefix`: the folder in the bucket. The server stands on the node, which only a store that says so may be. */
export function storeFields(access: S3Access, prefix: string): StoreFields {
  return { ...access, prefix, allowInternal: "true" };
}

function keyFieldsOf(key: Store["key"]): StoreFields {
  if (key.kind === "iam") return { iam: "true" };
  const { accessKeyId, secretAccessKey } = key;
  return { accessKeyId, secretAccessKey };
}

/** The same of any store. */
export function fieldsOf(store: Store): StoreFields {
  const { endpoint, region, bucket, prefix, key, caBundle, checksum, ageRecipients, ageIdentity } = store;
  return {
    ...{ endpoint: endpoint.origin, region, bucket, prefix, checksum },
    ...keyFieldsOf(key),
    ...(caBundle !== null && { caBundle }),
    ...(ageRecipients.length > 0 && { ageRecipient: ageRecipients.join(",") }),
    ...(ageIdentity !== null && { ageIdentity }),
    allowInternal: String(store.allowInternal),
  };
}

/** Its manifest, as JSON. */
export function storeSecret(name: string, fields: StoreFields): string {
  return JSON.stringify({ apiVersion: "v1", kind: "Secret", metadata: { name }, stringData: fields });
}
