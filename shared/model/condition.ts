/**
 * What people see: conditions (lasting), Events (passing) and the phase (one word). The codes are the same
 * words in the CLI, in conditions, in Events, in logs and in docs/conditions.md (a test compares them).
 */
import * as z from "zod";

/** Every problem that Ordinal can report, with how bad it is. A person is called only for `warning`. */
export const PROBLEM_CODES = {
  AnnotationInvalid: "warning",
  AnnotationUnknown: "warning",
  AnnotationsTooLarge: "warning",
  ReplicasZero: "warning",
  NoPersistentVolume: "warning",
  NoGoverningService: "warning",
  CredentialsMissing: "warning",
  CredentialsRejected: "warning",
  StateForeign: "warning",
  StateInvalid: "warning",
  StateTooNew: "warning",
  NameTaken: "warning",
  EngineMismatch: "warning",
  UnsupportedVersion: "warning",
  UnsupportedSettings: "warning",
  PrimaryAmbiguous: "warning",
  ForeignData: "warning",
  ErrantTransactions: "warning",
  PrimaryUnreachable: "warning",
  PrimaryLostTransactions: "warning",
  PrimaryCutOff: "warning",
  NoQuorum: "warning",
  MembersDiverged: "warning",
  FailoverHeldBack: "warning",
  FailoverAwaitsApproval: "warning",
  SwitchoverRefused: "warning",
  ScaleRefused: "warning",
  ReplicasContested: "warning",
  AcknowledgementsStalled: "warning",
  DiskFull: "warning",
  DurabilityUnproven: "warning",
  StateLost: "warning",
  MemberUnreachable: "warning",
  ReplicaOutdated: "warning",
  ReplicaBroken: "warning",
  ReplicaLagging: "warning",
  SeedFailed: "warning",
  ActionRefused: "warning",
  BackupFailed: "warning",
  BackupOverdue: "warning",
  ProofFailed: "warning",
  StoreUnconditional: "warning",
  ArchiveFailed: "warning",
  ArchiveLagging: "warning",
  ArchiveExpiring: "warning",
  RestoreRefused: "warning",
  RestoreFailed: "warning",
  RestoreHeldBack: "warning",
  WaitingForMembers: "normal",
  NoSpareCopy: "normal",
  BackupHeldBack: "normal",
  NeverProven: "normal",
  Paused: "normal",
} as const;

export type ProblemCode = keyof typeof PROBLEM_CODES;

export function isProblemCode(code: string): code is ProblemCode {
  return Object.hasOwn(PROBLEM_CODES, code);
}

export interface Problem {
  readonly code: ProblemCode;
  /** One sentence: what is wrong, and what to do about it. At most 200 characters are shown. */
  readonly message: string;
  readonly ordinal?: number;
  /** True: nothing is done to the database while it lasts. */
  readonly blocks: boolean;
}

/** Reasons of Events and history entries: past tense, for things that were done. */
export const EVENT_REASONS = {
  AdoptionStarted: "Normal",
  AdoptionCompleted: "Normal",
  PrimaryReopening: "Normal",
  PrimaryReopened: "Normal",
  FailoverStarted: "Warning",
  PrimaryElected: "Normal",
  FailoverCompleted: "Normal",
  DataLossAccepted: "Warning",
  SwitchoverStarted: "Normal",
  SwitchoverCompleted: "Normal",
  SwitchoverAbandoned: "Warning",
  StateReconstructed: "Warning",
  TailArchived: "Warning",
  MemberRebuilding: "Warning",
  MemberSeeding: "Normal",
  MemberJoined: "Normal",
  MemberLeft: "Warning",
  MemberRemoved: "Normal",
  ScaledUp: "Normal",
  ScaledDown: "Normal",
  AckCountChanged: "Normal",
  BackupStarted: "Normal",
  BackupCompleted: "Normal",
  BackupAttemptFailed: "Warning",
  SlotsMissed: "Warning",
  BackupProven: "Normal",
  RestoreStarted: "Normal",
  RestoreStopping: "Warning",
  RestoreExchanging: "Normal",
  RestoreCompleted: "Normal",
  RestoreUndone: "Normal",
  RestoreGivenUp: "Warning",
  RestoreForgotten: "Normal",
  ReleaseStarted: "Normal",
  Released: "Normal",
} as const;

export type EventReason = keyof typeof EVENT_REASONS;

export const conditionSchema = z.strictObject({
  type: z.string().max(64),
  status: z.enum(["True", "False", "Unknown"]),
  reason: z.string().max(64),
  message: z.string().max(200),
  lastTransitionAt: z.iso.datetime(),
  observedGeneration: z.number().int(),
});
export type Condition = z.infer<typeof conditionSchema>;

/** One word for tables and for `kubectl wait --for=jsonpath`. */
export const PHASES = [
  "Healthy",
  "Degraded",
  "Adopting",
  "Reopening",
  "FailingOver",
  "SwitchingOver",
  "Scaling",
  "Restoring",
  "Blocked",
  "Paused",
  "Releasing",
  "Released",
] as const;
export type Phase = (typeof PHASES)[number];
