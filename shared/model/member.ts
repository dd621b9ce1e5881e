/**
 * What a pass saw of one member, as kept on its Pod for people and for `kubectl ordinal`, which looks at
 * Kubernetes only. Nothing is decided from it: it is as old as `at`, and a Pod's owner may edit it.
 */
import * as z from "zod";

/** The note of a member that somebody else has written to: by it such members are counted. */
export const ERRANT_NOTE = "has transactions of its own";

/** A copy of another server's volume into this one: how many bytes are there, and how many it is to be, as estimated. */
export const copiedSchema = z.strictObject({
  bytes: z.number().int().min(0),
  /** It grows with what is written meanwhile; 0 = not known yet. */
  bytesExpected: z.number().int().min(0),
});
export type Copied = z.infer<typeof copiedSchema>;

export const memberSchema = z.strictObject({
  /** What it serves clients as; `none` while it serves nobody. */
  role: z.enum(["primary", "replica", "none"]),
  /** One phrase for people when something is unusual, else empty. */
  note: z.string().max(200),
  /** Null while the server cannot be read. */
  serverUuid: z.string().max(64).nullable(),
  version: z.string().max(64).nullable(),
  /** When this was written, which is when one of the other fields last changed by something worth a write. */
  at: z.iso.datetime(),
  /** Its acknowledgements count for the durability of a commit. */
  acks: z.boolean(),
  /** Behind the primary, milliseconds; null on the primary and when it is not known. */
  lagMs: z.number().int().min(0).nullable(),
  /** Absent = no copy is under way. */
  copied: copiedSchema.optional(),
});

export type MemberRecord = z.infer<typeof memberSchema>;
