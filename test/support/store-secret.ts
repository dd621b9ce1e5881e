/** The Secret of any store, as a user would write one. */
import type { StoreFields } from "../../infra/local/store-secret.ts";
import type { Store } from "../../shared/model/store.ts";

function keyFieldsOf(key: Store["key"]): StoreFields {
  if (key.kind === "iam") return { iam: "true" };
  const { accessKeyId, secretAccessKey } = key;
  return { accessKeyId, secretAccessKey };
}

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
