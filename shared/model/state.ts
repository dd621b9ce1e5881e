/**
 * What Ordinal remembers, kept in one annotation of the StatefulSet and changed only by compare-and-swap.
 * INV-4: the epoch only grows. INV-3: the recorded ackers are a superset of the servers that really
 * acknowledge, and the recorded ack count is never above the real one.
 */
import * as z from "zod";

export const STATE_VERSION = 1;

/** The most members that anybody may ask for: one primary, and as many ackers as are recorded. */
export const MEMBERS_MAX = 33;

/** The most that are looked at, however many a StatefulSet or a text that was written by hand may name. */
export const MEMBERS_SEEN_MAX = 100;

const ordinal = z.number().int().min(0).max(999);
const uuid = z.string().min(1).max(64);
const instant = z.iso.datetime();

const ackerSchema = z.strictObject({
  ordinal,
  serverUuid: uuid,
});

const configSchema = z.strictObject({
  primary: z.strictObject({ ordinal, serverUuid: uuid }),
  ackers: z.array(ackerSchema).max(MEMBERS_MAX - 1),
  /** How many acknowledgements a commit waits for. 0 only when there is a single member. */
  ackCount: z.number().int().min(0).max(16),
});

const operationSchema = z.strictObject({
  id: z.string().max(64),
  kind: z.enum(["adopt", "reopen", "failover", "switchover", "reconstruct", "release"]),
  step: z.string().max(32),
  startedAt: instant,
  /** Of a switchover: who is to be the primary. */
  target: ordinal.nullable().default(null),
});

export const stateSchema = z.strictObject({
  v: z.literal(STATE_VERSION),
  /** Grows by one with every write. */
  seq: z.number().int().min(1),
  clusterUid: z.string().max(64),
  epoch: z.number().int().min(0),
  phase: z.enum(["Adopting", "Revoking", "Establishing", "Steady", "Releasing", "Released"]),
  /** The last configuration whose term row was acknowledged. */
  established: configSchema.nullable(),
  /** The configuration being built; `open` from just before its primary is made writable. */
  pending: configSchema.extend({ open: z.boolean() }).nullable(),
  op: operationSchema.nullable(),
  /**
   * When the process of the primary of `pending`, else of `established`, was started, milliseconds since 1970 by
   * its own clock: tells whether it is the one whose end the kubelet reports.
   */
  primaryStartedAtMs: z.number().int().nullable().default(null),
  /** When the last failovers were begun, for the pauses between them. */
  failovers: z.array(instant).max(8).default([]),
  /**
   * Servers that may alone hold commits that were acknowledged: what they have of their own is never given up
   * without a person.
   */
  unproven: z.array(uuid).max(8).default([]),
  /** What Ordinal last wrote as `spec.replicas`: whoever changes it after that contests it. */
  scaledTo: z.number().int().nullable().default(null),
});

export type State = z.infer<typeof stateSchema>;
export type Config = z.infer<typeof configSchema>;

/** A decision that was acted on, kept for `kubectl ordinal why`. */
export const historyEntrySchema = z.strictObject({
  at: instant,
  epoch: z.number().int().min(0),
  /** Past tense, the same word as the Event. */
  reason: z.string().max(64),
  /** One sentence: rule and inputs. */
  why: z.string().max(400),
  considered: z.array(z.string().max(160)).max(10),
});
export type HistoryEntry = z.infer<typeof historyEntrySchema>;
