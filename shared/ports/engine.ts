/**
 * An engine's verbs: what can be done to a server, each repeatable, each over a connection that the caller
 * has fenced. Statements live in shared/engines/<name>.
 */
import type { EngineRules, Preparation } from "../model/engine.ts";
import type { Outcome } from "../model/outcome.ts";
import type { Position, ServerFacts } from "../model/server.ts";
import type { Credentials, Server } from "./server.ts";

export interface Peer {
  readonly host: string;
  readonly port: number;
  readonly account: Credentials;
}

/** Passwords by account; never part of a plan, a log line or a snapshot. */
export interface Accounts {
  readonly control: Credentials;
  replication(ordinal: number): Credentials;
}

export interface Engine {
  readonly rules: EngineRules;
  /** Names of the accounts that Ordinal makes for itself. */
  readonly accountNames: { readonly control: string; replication(ordinal: number): string };
  observe(server: Server, options: { readonly survey: boolean }): Promise<Outcome<ServerFacts>>;
  prepare(server: Server, preparation: Preparation, accounts: Accounts): Promise<Outcome<null>>;
  /**
   * Starts copying the donor's volume into this server and waits up to `timeoutMs`. A copy that takes
   * longer goes on; the next observation shows how far it is. Succeeds when the server has begun to restart.
   */
  seed(server: Server, donor: Peer, timeoutMs: number): Promise<Outcome<null>>;
  /** `full`: point and start; `receiver`: only where to receive from, the applier keeps running; `start`: start what stands. */
  follow(server: Server, source: Peer, how: "full" | "receiver" | "start"): Promise<Outcome<null>>;
  acknowledge(server: Server, on: boolean): Promise<Outcome<null>>;
  lockAccount(server: Server, account: string, locked: boolean): Promise<Outcome<null>>;
  arm(server: Server, ackCount: number): Promise<Outcome<null>>;
  executed(server: Server): Promise<Outcome<Position>>;
  /** `transient` when the time is up before the server has executed `position`. */
  awaitExecuted(server: Server, position: Position, timeoutMs: number): Promise<Outcome<null>>;
  /** INV-5: re-reads the acknowledgement settings on this very session before it allows writes. */
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
  /** Takes the named lock on this session; `conflict` when somebody else holds it after `timeoutMs`. */
  lock(server: Server, name: string, timeoutMs: number): Promise<Outcome<null>>;
}
