/**
 * A step is data: what to do, on whom, under which precondition. Steps of one track run in order, tracks
 * run side by side. Each step can be repeated, and is only ever run under an intent that was recorded.
 */
import type { BackupMemory } from "./backup.ts";
import type { Condition, Phase, ProblemCode } from "./condition.ts";
import type { Preparation } from "./engine.ts";
import type { EventReason } from "./event-reason.ts";
import type { Task } from "./job-order.ts";
import type { RestoreMemory } from "./restore.ts";
import type { Position } from "./server.ts";
import type { HistoryEntry, State } from "./state.ts";

/** The compare-and-swap write. Nothing is written when nothing differs. */
export interface RecordStep {
  readonly kind: "Record";
  /** Null leaves the state annotation as it is (conditions only). */
  readonly state: State | null;
  readonly conditions: readonly Condition[];
  readonly history: readonly HistoryEntry[];
  readonly phase: Phase;
  /** Sets the index label `ordinal.dev/managed`, or takes it away at release. */
  readonly managedLabel: boolean;
  /** Written by the same patch: `spec.replicas`; null leaves it. */
  readonly replicas: number | null;
  /** The same of `spec.updateStrategy.rollingUpdate.partition`. */
  readonly partition: number | null;
  /** The memory of backups, written by the same patch; null leaves it. */
  readonly backups: BackupMemory | null;
  /** The memory of a restore, written by the same patch; null leaves it. */
  readonly restore: RestoreMemory | null;
  /** Requests of the user's that this record answers: their annotations are taken away. */
  readonly answered: readonly string[];
}

export interface EventStep {
  readonly kind: "Event";
  readonly type: "Normal" | "Warning";
  readonly reason: EventReason | ProblemCode;
  readonly message: string;
  /** Makes the name of the Event object, so that a repeated step finds its own. */
  readonly key: string;
}

/** What was seen of a member and must still be so. */
export interface Confirmation {
  readonly ordinal: number;
  /** It is read-only, and no commit waits on it. */
  readonly closed: boolean;
  /** It receives from nobody. */
  readonly stopped: boolean;
  /** It has received no more than this; null = not asked. */
  readonly atMost: Position | null;
  /** It has received all of this; null = not asked. */
  readonly atLeast: Position | null;
}

export type ServerStep =
  | { readonly kind: "Prepare"; readonly ordinal: number; readonly preparation: Preparation }
  /**
   * Copy the donor's volume into this member, destroying what is there. INV-9: only a member without user data
   * (`covered` null), or one all of whose transactions are in `covered`: on the primary or archived there.
   */
  | {
      readonly kind: "Seed";
      readonly ordinal: number;
      readonly donor: number;
      readonly covered: Position | null;
    }
  | {
      readonly kind: "Follow";
      readonly ordinal: number;
      readonly source: number;
      readonly how: "full" | "receiver" | "start";
    }
  /** Starts or stops acknowledging; its receiver is reconnected so that the source knows. */
  | { readonly kind: "Acknowledge"; readonly ordinal: number; readonly on: boolean }
  /** Nobody can log in with this member's replication account, and its stream is cut; or can again. */
  | {
      readonly kind: "LockAccount";
      readonly ordinal: number;
      readonly primary: number;
      readonly locked: boolean;
    }
  /** Applications are put out and kept out, and it takes no writes; best effort, since it may hang. */
  | { readonly kind: "Fence"; readonly ordinal: number }
  /** It finishes the commits under way and takes no more; its ackers are still there. */
  | { readonly kind: "Demote"; readonly ordinal: number }
  /** Its receiver stops and stays stopped; what it has received is still executed (INV-6). */
  | { readonly kind: "StopReceiving"; readonly ordinal: number }
  /** It has executed all that it received and forgets whom it followed; it stays closed. */
  | { readonly kind: "Promote"; readonly ordinal: number; readonly timeoutMs: number }
  /** It ends and is started again; only where nobody can be answered by it any more. */
  | { readonly kind: "Restart"; readonly ordinal: number }
  /** Copy the transactions that only this member has into the primary's database, where every copy has them. */
  | {
      readonly kind: "ArchiveTail";
      readonly ordinal: number;
      readonly primary: number;
      readonly beyond: Position;
    }
  /** A small commit on the primary, which heals an acknowledgement that was lost on the way. */
  | { readonly kind: "Nudge"; readonly ordinal: number }
  /** On the primary: commits wait for `ackCount` acknowledgements from now on. */
  | { readonly kind: "Arm"; readonly ordinal: number; readonly ackCount: number }
  /**
   * In a fenced session on each of them, all at once: what was seen still holds. From then on no executor of an
   * earlier intent can change it: it has lost its lock, or finds the intent replaced.
   */
  | {
      readonly kind: "Confirm";
      readonly members: readonly Confirmation[];
      /** How long it may take until it holds; 0 = it holds now. */
      readonly timeoutMs: number;
    }
  /** Wait until `need` of `holders` have executed everything that the primary has. */
  | {
      readonly kind: "AwaitHolders";
      readonly primary: number;
      readonly holders: readonly number[];
      readonly need: number;
      readonly timeoutMs: number;
    }
  /** On the primary: check the acknowledgement settings, allow writes, commit the term row. */
  | {
      readonly kind: "Open";
      readonly ordinal: number;
      readonly epoch: number;
      readonly ackCount: number;
      readonly timeoutMs: number;
    }
  /** At release: leave an ordinary replication set-up that survives restarts without us. */
  | {
      readonly kind: "HandOver";
      readonly ordinal: number;
      readonly role: "primary" | "replica";
      readonly ackCount: number;
    };

/** The object as it was when the step was decided; a change of any other version is a conflict (INV-10). */
export interface Seen {
  readonly uid: string;
  readonly resourceVersion: string;
}

export type KubeStep =
  | { readonly kind: "EnsureAccounts"; readonly ordinals: readonly number[] }
  | {
      readonly kind: "LabelPod";
      readonly pod: string;
      readonly seen: Seen;
      readonly labels: Readonly<Record<string, string | null>>;
      readonly annotations: Readonly<Record<string, string | null>>;
    }
  | {
      readonly kind: "AnnotateClaim";
      readonly claim: string;
      readonly seen: Seen;
      readonly annotations: Readonly<Record<string, string | null>>;
    }
  | {
      readonly kind: "EnsureService";
      readonly role: "primary" | "replica";
      readonly name: string;
      /** Null = there is none. */
      readonly seen: Seen | null;
      readonly selector: Readonly<Record<string, string>>;
    }
  | { readonly kind: "DeleteService"; readonly name: string; readonly seen: Seen }
  /** The StatefulSet makes it anew. */
  | { readonly kind: "DeletePod"; readonly name: string; readonly seen: Seen }
  /** Begins what the memory of backups or of a restore says to be under way; a Job of that name is the same one. */
  | { readonly kind: "StartJob"; readonly name: string; readonly task: Task };

export type Step = RecordStep | EventStep | ServerStep | KubeStep;
export type Track = readonly Step[];
