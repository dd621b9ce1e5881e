/** What a person can do about each problem: the same sentences as in docs/conditions.md, compared by a test. */
import type { ProblemCode } from "./condition.ts";

export const ADVICE: Readonly<Record<ProblemCode, string>> = {
  AnnotationInvalid: "correct the annotation as the message says.",
  AnnotationUnknown:
    "correct the key or remove it. After a downgrade, remove what only the newer version knows.",
  AnnotationsTooLarge:
    "remove large annotations that are not needed, such as `kubectl.kubernetes.io/last-applied-configuration`.",
  ReplicasZero: "set `replicas` to 1 or more.",
  NoPersistentVolume: "recreate the StatefulSet with `volumeClaimTemplates`.",
  NoGoverningService: "create a headless Service and a StatefulSet that names it in `serviceName`.",
  CredentialsMissing: "create the Secret, grant the right to read it, or correct the annotation.",
  CredentialsRejected: "put the present password into the Secret, or give the account its rights back.",
  StateForeign: "remove the annotation; Ordinal then looks afresh at the servers and volumes.",
  StateInvalid: "remove the annotation, or put the last good text back.",
  StateTooNew: "upgrade Ordinal to the version that wrote it, or newer.",
  NameTaken: "rename or remove that object.",
  EngineMismatch: "correct the annotation or the image.",
  UnsupportedVersion: "move to a supported version; the message names it.",
  UnsupportedSettings: "change the setting that the message names, and restart the server.",
  PrimaryAmbiguous: "make it clear, for instance by stopping one of two replication trees.",
  ForeignData: "save what you need; then empty that server, or delete its volume claim and its pod.",
  ErrantTransactions: "nothing: they are archived in `ordinal.tail` first. Find out who wrote to a replica.",
  PrimaryUnreachable: "find out why its pod does not run; `kubectl describe pod` and the server's log tell.",
  PrimaryLostTransactions:
    "keep every volume. Find out what happened to the primary's disk before you change anything.",
  PrimaryCutOff: "look at the network between Ordinal and that server, or at the account in the Secret.",
  NoQuorum: "bring back one of the members that the message names; their volumes hold what is missing.",
  MembersDiverged: "keep every volume. Compare the members, and take out the one that does not belong.",
  FailoverHeldBack: "find out why the primary fails again and again; `ordinal.dev/approve` goes on at once.",
  FailoverAwaitsApproval:
    "`kubectl ordinal approve NAME` lets it happen, as the annotation that the message names does; or bring the primary back.",
  SwitchoverRefused: "name another member, or remove `ordinal.dev/switchover-to`.",
  ScaleRefused:
    "bring the members that stay into order; it goes on by itself then. Or change `ordinal.dev/replicas`, or the replicas.",
  ReplicasContested: "remove `ordinal.dev/replicas`, or keep the other writer of `replicas` away.",
  AcknowledgementsStalled:
    "nothing, when it passes. Otherwise look at the network; if somebody runs FLUSH BINARY LOGS there, delete the primary's pod.",
  DiskFull: "enlarge its volume or make room. Never delete binary logs by hand that a replica still needs.",
  DurabilityUnproven:
    "look at what is kept in `ordinal.tail`, apply what is missed, then delete its volume claim and its pod.",
  StateLost: "bring back the members that the message names; keep every volume until then.",
  MemberUnreachable: "find out why its pod does not run, when it stays so.",
  ReplicaOutdated:
    "nothing, unless the message says what it waits for. Keep binary logs for longer if it happens often.",
  ReplicaBroken:
    "remove the cause and run `START REPLICA` there; or delete its volume claim and its pod, and it is seeded anew.",
  ReplicaLagging:
    "nothing, when it passes. Otherwise look for long transactions, slow disks or too small a server.",
  SeedFailed:
    "look at the message; mostly there is no room on the volume, or the network fails between the two.",
  ActionRefused: "grant the right that the message names, or remove what stands in the way.",
  BackupFailed:
    "`kubectl ordinal status NAME` has the whole reason, and for an hour the Job that it names a log; the next slot is tried anew.",
  BackupOverdue: "find out why Ordinal or the replicas were away, and ask for a backup now.",
  ProofFailed:
    "`kubectl ordinal status NAME` has the whole reason; keep the older backups until one is proven again.",
  StoreUnconditional:
    "move the backups to a store that keeps to `If-None-Match`; until then every backup is whole all the same.",
  ArchiveFailed:
    "look at what the message names: the store, its Secret and the right to read it, or a replica.",
  ArchiveLagging: "find out why Ordinal or the replicas were away, or what makes the store slow.",
  ArchiveExpiring:
    "bring the archive back, or enlarge the volumes; where servers keep their logs for too short a time, say so on each: `SET PERSIST binlog_expire_logs_seconds = 2592000`.",
  RolloutRefused: "put an image into the template that the message allows, or the old template back.",
  RolloutHeldBack:
    "look at the pod that the message names; with the template that was there before, it is made anew from that.",
  RestoreRefused: "change the annotation as the message says, or remove it; nothing was touched.",
  RestoreFailed:
    "nothing was lost: the old data is in service. Change what the message names and ask for it anew.",
  RestoreHeldBack:
    "look at the log of the Job that the message names and at its volume; it is tried again until it succeeds.",
  WaitingForMembers: "nothing, when pods are starting. Otherwise find out why they do not.",
  NoSpareCopy: "nothing at first. With two members it is always so: three give a spare one.",
  BackupHeldBack: "nothing, when it passes. Otherwise bring a replica into order.",
  NeverProven: "nothing, when it passes. Otherwise look whether its Job can run.",
  Paused: "remove the annotation to let it work again.",
};
