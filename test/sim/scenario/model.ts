/**
 * A scenario as data: a cluster, who works on it and on whom, and which faults happen when. Together with its
 * seed it says everything about a run, so it can be stored, made smaller and run again to the letter.
 */
import * as z from "zod";

/** Resolved when the fault comes: the primary of that moment, or one of the others by ordinal. */
const target = z.enum(["primary", "replica-0", "replica-1", "replica-2"]);
/** An end of a way: functions, applications, or a server. */
const end = z.enum(["function", "client", "primary", "replica-0", "replica-1", "replica-2"]);
const ms = z.number().int().min(0).max(7_200_000);

const fault = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("kill"), target }),
  z.strictObject({ kind: z.literal("terminate"), target }),
  z.strictObject({ kind: z.literal("stop"), target, forMs: ms }),
  z.strictObject({ kind: z.literal("deletePod"), target, graceMs: ms, hook: z.boolean() }),
  z.strictObject({ kind: z.literal("nodeGone"), target, forMs: ms }),
  z.strictObject({ kind: z.literal("loseVolume"), target }),
  z.strictObject({ kind: z.literal("purgeLogs"), target }),
  z.strictObject({ kind: z.literal("diskFull"), target, forMs: ms }),
  z.strictObject({ kind: z.literal("slowApplier"), target, applyMs: ms, forMs: ms }),
  z.strictObject({ kind: z.literal("applier"), target, error: z.enum(["blocked", "1062"]), forMs: ms }),
  z.strictObject({ kind: z.literal("loseAcks"), target, count: z.number().int().min(1).max(9) }),
  z.strictObject({ kind: z.literal("cut"), from: end, to: end, both: z.boolean(), forMs: ms }),
  z.strictObject({
    kind: z.literal("api"),
    how: z.enum(["conflict", "gone", "throttle", "error", "lateTimeout", "down", "stale"]),
    share: z.number().min(0).max(1),
    forMs: ms,
  }),
  z.strictObject({ kind: z.literal("watch"), how: z.enum(["drop", "twice", "late"]), forMs: ms }),
  z.strictObject({
    kind: z.literal("annotation"),
    how: z.enum(["wipe", "restore", "garble"]),
    /** How many records ago the text was that is put back. */
    back: z.number().int().min(1).max(20),
  }),
  z.strictObject({
    kind: z.literal("drift"),
    target,
    what: z.enum(["semiSyncOff", "ownWrite", "stopReplica", "relaxed"]),
  }),
  z.strictObject({ kind: z.literal("switchover"), target }),
  /** Functions that work meanwhile may be killed, frozen, slowed down, or doubled. */
  z.strictObject({
    kind: z.literal("functions"),
    killShare: z.number().min(0).max(1),
    freezeShare: z.number().min(0).max(1),
    freezeMs: ms,
    slowMs: ms,
    copies: z.number().int().min(1).max(8),
    forMs: ms,
  }),
  z.strictObject({
    kind: z.literal("clock"),
    host: z.number().int().min(0).max(3),
    jumpMs: z.number().int(),
  }),
]);

/** At an instant, or so long after the recorded state next comes into a phase. */
const moment = z.union([
  z.strictObject({ atMs: ms }),
  z.strictObject({ phase: z.enum(["Revoking", "Establishing", "Opened", "Steady"]), plusMs: ms }),
]);

const host = z.strictObject({
  /** Resident hosts keep a memory between looks; others start a function for every event and sweep. */
  resident: z.boolean(),
  watches: z.boolean(),
  sweepMs: ms,
  /** How far its clock is from the others', milliseconds. */
  skewMs: z.number().int().min(-3_600_000).max(3_600_000),
});

export const scenarioSchema = z.strictObject({
  seed: z.number().int().min(0),
  members: z.number().int().min(1).max(5),
  onRestart: z.enum(["wait", "resume"]),
  hosts: z.array(host).min(1).max(4),
  clients: z.number().int().min(1).max(4),
  /** One more keeps writing to the server that was the primary in the beginning. */
  sticky: z.boolean(),
  faults: z.array(z.strictObject({ moment, fault })).max(16),
  /** When faults by phase are no longer waited for and the clients stop. */
  endMs: ms,
});

export type Scenario = z.infer<typeof scenarioSchema>;
export type Fault = z.infer<typeof fault>;
export type Target = z.infer<typeof target>;
export type End = z.infer<typeof end>;
export type Moment = z.infer<typeof moment>;
export type HostPart = z.infer<typeof host>;
export type PlannedFault = Scenario["faults"][number];
