/**
 * What an engine is to the brain: its position algebra and its own rules, all pure. The verbs, which
 * touch servers, are in shared/ports/engine.ts. Nothing outside shared/engines spells an engine's words.
 */
import type { Position, ServerFacts } from "./server.ts";

/** A partial order of positions. All functions throw on a text that the engine itself could not have produced. */
export interface PositionAlgebra {
  /** Every transaction of `part` is in `whole`. */
  contains(whole: Position, part: Position): boolean;
  union(a: Position, b: Position): Position;
  /** What is in `a` and not in `b`. */
  subtract(a: Position, b: Position): Position;
  /** `a` without the transactions that the server `serverUuid` itself began. */
  without(a: Position, serverUuid: string): Position;
  /** Number of transactions. */
  count(a: Position): bigint;
  /** For people: cut to about `charsMax` characters, saying how much was left out. */
  shorten(a: Position, charsMax: number): string;
}

export interface DesiredMember {
  readonly ordinal: number;
  readonly role: "primary" | "replica" | "unseeded";
  /** How many acknowledgements a commit waits for; 0 = none. */
  readonly ackCount: number;
  /** True: after a restart a primary takes writes again without being told, once its ackers are back. */
  readonly resumes: boolean;
  /** Ordinals that need an account of their own on the primary. */
  readonly ordinals: readonly number[];
  /** Whether it deletes its binary logs by itself when they are old; null = as somebody else has set it. */
  readonly deletesLogs: boolean | null;
  /** Server numbers taken by other members. */
  readonly takenNumbers: readonly string[];
}

/** Something to be set, installed or created on a server before it can take its place. Repeatable. */
export interface Preparation {
  /** Closed set of the engine, e.g. `plugins`, `settings`, `accounts`, `gtid`. */
  readonly kind: string;
  /** For people: what will be done. */
  readonly text: string;
  readonly parameters: Readonly<Record<string, string>>;
  /** It takes rights that our own account does not have, or changes that account. */
  readonly asAdministrator?: true;
}

export interface EngineRules {
  readonly name: string;
  readonly title: string;
  readonly port: number;
  readonly positions: PositionAlgebra;
  /** With which this member receives, and no other: locking it stops this member alone (INV-3). */
  replicationAccount(ordinal: number): string;
  /** Null when this server can be managed; else one sentence that says why not and what to do. */
  unsupported(facts: ServerFacts): {
    readonly code: "EngineMismatch" | "UnsupportedVersion" | "UnsupportedSettings";
    readonly message: string;
  } | null;
  /** True when `executed` is no more than what an image writes while it initialises an empty volume. */
  initialOnly(facts: ServerFacts): boolean;
  /** What is still missing on this server for its place, in the order in which it must be done. */
  preparations(facts: ServerFacts, desired: DesiredMember): readonly Preparation[];
}
