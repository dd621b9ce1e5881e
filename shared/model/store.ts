/**
 * Where backups are kept: an S3 bucket as its Secret describes it, already checked. Only the adapter that talks
 * to the bucket reads the key; nothing of it is ever printed.
 */

/**
 * How a store is told what it is to receive. Every request's body is signed with its SHA-256 in either case.
 * - `sha256`: also as a checksum that the store keeps, so that it can be asked for it afterwards.
 * - `none`: for stores that refuse requests with such a checksum.
 */
export type ChecksumMode = "sha256" | "none";

export type StoreKey =
  | { readonly kind: "static"; readonly accessKeyId: string; readonly secretAccessKey: string }
  /** Whatever role the platform gives to the pod or the function. */
  | { readonly kind: "iam" };

export interface Store {
  /** Name of the Secret, for messages. */
  readonly name: string;
  /** Scheme, host and port alone. */
  readonly endpoint: URL;
  readonly region: string;
  readonly bucket: string;
  /** Without slashes at its ends; empty for the bucket's root. */
  readonly prefix: string;
  readonly key: StoreKey;
  /** Certificates (PEM) that are trusted in place of the system's; null for the system's. */
  readonly caBundle: string | null;
  readonly checksum: ChecksumMode;
  /** Public age keys; backups are encrypted to all of them, and not at all when there is none. */
  readonly ageRecipients: readonly string[];
  /** The private age key, for those who let Ordinal restore and prove by itself. */
  readonly ageIdentity: string | null;
  readonly allowInternal: boolean;
}
