/**
 * An engine's verbs: what can be done to a server, each repeatable, each over a connection that the caller
 * has fenced. Statements live in shared/engines/<name>.
 */
import type { EngineRules, Preparation } from "../model/engine.ts";
import type { Outcome } from "../model/outcome.ts";
import type { Position, ServerFacts } from "../model/server.ts";
import type { Credentials, LoggedTransaction, Server } from "./server.ts";

export interface Peer {
  readonly host: string;
  readonly port: number;
  readonly account: Credentials;
}

/** What one server holds and a later primary does not: never acknowledged, and lost when it is seeded again. */
export interface Tail {
  /** Of the server that holds it. */
  readonly serverUuid: string;
  /** All of its transactions. */
  readonly gtids: Position;
  readonly transactions: readonly LoggedTransaction[];
}

/** Passwords by account; never part of a plan, a log line or a snapshot. */
export interface Accounts {
  readonly control: Credentials;
  replication(ordinal: number): Credentials;
}

/** The part of the facts by which it is certain that a server's transactions are final. */
export interface Standstill {
  readonly closed: boolean;
  /** Commits that wait for acknowledgements. */
  readonly waiters: number;
  readonly receiving: boolean;
  /** What it has executed and received. Read after the rest: while that holds it can grow no more. */
  readonly received: Position;
}

export interface Engine {
  readonly rules: EngineRules;
  /** Names of the accounts that Ordinal makes for itself. */
  readonly accountNames: { readonly control: string; replication(ordinal: number): string };
  observe(server: Server, options: { readonly survey: boolean }): Promise<Outcome<ServerFacts>>;
  /** A tenth of what an observation costs. */
  standstill(server: Server): Promise<Outcome<Standstill>>;
  prepare(server: Server, preparation: Preparation, accounts: Accounts): Promise<Outcome<null>>;
  /**
   * Starts copying the donor's volume into this server and waits up to `timeoutMs`. A copy that takes
   * longer goes on; the next observation shows how far it is. Succeeds when the server has begun to restart.
   */
  seed(server: Server, donor: Peer, timeoutMs: number, covered: Position | null): Promise<Outcome<null>>;
  /** `full`: point and start; `receiver`: only where to receive from, the applier keeps running; `start`: start what stands. */
  follow(server: Server, source: Peer, how: "full" | "receiver" | "start"): Promise<Outcome<null>>;
  acknowledge(server: Server, on: boolean): Promise<Outcome<null>>;
  /** Puts applications out, then refuses writes; succeeds also when commits that wait keep it from the second. */
  fence(server: Server): Promise<Outcome<null>>;
  /** Refuses writes once the commits under way are done; `transient` when they do not end. */
  demote(server: Server): Promise<Outcome<null>>;
  /** Stops the receiver alone; what was received goes on being executed. */
  stopReceiving(server: Server): Promise<Outcome<null>>;
  /** Waits until all that was received is executed, then forgets the source. Never opens the server. */
  promote(server: Server, timeoutMs: number): Promise<Outcome<null>>;
  /** Ends the server, which whoever started it starts again. `conflict` while it could answer an application. */
  restart(server: Server): Promise<Outcome<null>>;
  /** Commits a small change, not under the lock: a commit that waits would keep it. */
  nudge(server: Server, timeoutMs: number): Promise<Outcome<null>>;
  lockAccount(server: Server, account: string, locked: boolean): Promise<Outcome<null>>;
  arm(server: Server, ackCount: number): Promise<Outcome<null>>;
  executed(server: Server): Promise<Outcome<Position>>;
  /** `transient` when the time is up before the server has executed `position`. */
  awaitExecuted(server: Server, position: Position, timeoutMs: number): Promise<Outcome<null>>;
  /**
   * INV-5: re-reads the acknowledgement settings on this very session before it allows writes. Gives the lock back
   * before it commits the term row.
   */
  open(
    server: Server,
    term: { epoch: number; clusterUid: string; opId: string; ackCount: number; at: string },
    timeoutMs: number,
  ): Promise<Outcome<null>>;
  /**
   * Leaves an ordinary replication set-up that survives restarts without Ordinal: the primary comes back
   * writable and waits for `ackCount` acknowledgements, a replica comes back read-only and replicates.
   */
  handOver(server: Server, role: "primary" | "replica", ackCount: number): Promise<Outcome<null>>;
  /**
   * The transactions of this server that are not in `beyond`, from its logs; none is an empty tail. `refused`
   * when its logs no longer hold all of them, and when there are too many to be kept in a table.
   */
  readTail(server: Server, beyond: Position): Promise<Outcome<Tail>>;
  /** Writes a tail into the database itself. Succeeds when all of it was read back, and then says so in `archived`. */
  keepTail(
    primary: Server,
    tail: Tail,
    as: { readonly epoch: number; readonly clusterUid: string; readonly at: string },
  ): Promise<Outcome<null>>;
  /** Takes the named lock on this session; `conflict` when somebody else holds it after `timeoutMs`. */
  lock(server: Server, name: string, timeoutMs: number): Promise<Outcome<null>>;
  /** Gives back all locks of this session. */
  unlock(server: Server): Promise<Outcome<null>>;
  /**
   * In place of a server with these facts, for plans that are shown: the verbs act on it, it changes nothing, and
   * tells each statement that would have been sent, with what would be known of the server then. What only reads is not
   * told, nor is the lock. `secret` is what stands for every password, and occurs nowhere else: it is told as `***`.
   */
  standIn(
    facts: () => ServerFacts,
    secret: string,
    told: (statement: string, facts: ServerFacts) => void,
  ): Server;
}
