/**
 * The waiting side of semi-synchronous replication: a commit goes on when so many replicas have acknowledged
 * its place in the binary log, or when the wait is switched off, which answers OK without any (facts L1, L7).
 * Commits that come while others wait are the next group, and a group waits for its newest one (measured).
 * The timeout is left out: only its documented maximum is ever used, and `strict` settings are checked.
 */
import type { Process, SimServer } from "./server.ts";

export interface Ack {
  /** Place in the binary log. */
  readonly place: number;
  /** The newest place of its group; null while the group before it waits. */
  target: number | null;
  readonly sinceMs: number;
  readonly release: () => void;
  readonly done: Promise<void>;
}

function required({ globals, waitsNoMore }: Process): number {
  if (waitsNoMore || globals.get("rpl_semi_sync_source_enabled") !== "ON") return 0;
  return Number(globals.get("rpl_semi_sync_source_wait_for_replica_count") ?? 0);
}

/**
 * A graceful stop switches the wait off, which answers OK to all, when exactly one acknowledger less than
 * required is connected. With fewer than that it never does (measured). Returns whether nobody waits.
 */
export function giveUpWaiting(process: Process): boolean {
  const clients = [...process.dumps].filter(({ semiSync }) => semiSync).length;
  if (process.ackWaiters.size === 0 || clients === required(process) - 1) {
    process.waitsNoMore = true;
    for (const ack of [...process.ackWaiters]) ack.release();
  }
  return process.waitsNoMore;
}

/** How many replicas have acknowledged this place. */
export function acknowledgements({ process }: SimServer, place: number): number {
  let count = 0;
  for (const last of process.acked.values()) if (last >= place) count += 1;
  return count;
}

function enough(server: SimServer, place: number): boolean {
  return acknowledgements(server, place) >= required(server.process);
}

export function semiSyncWait(server: SimServer, place: number): Promise<void> {
  if (enough(server, place)) return Promise.resolve();
  const { ackWaiters } = server.process;
  const { promise: done, resolve } = Promise.withResolvers<void>();
  const ack: Ack = {
    place,
    target: null,
    sinceMs: server.clock.now(),
    release() {
      ackWaiters.delete(ack);
      resolve();
    },
    done,
  };
  ackWaiters.add(ack);
  // Whoever comes at the same time is in the same group.
  if (ackWaiters.size === 1) {
    const { process } = server;
    server.clock.after(0, () => {
      if (server.running && server.process === process) releaseWaiters(server);
    });
  }
  return done;
}

/** To be called when an acknowledgement came or the settings of the wait have changed. */
export function releaseWaiters(server: SimServer): void {
  const { ackWaiters } = server.process;
  for (let group = groupOf(ackWaiters); group.length > 0; group = groupOf(ackWaiters)) {
    if (!enough(server, group[0]?.target ?? 0)) return;
    for (const ack of group) ack.release();
  }
}

/** Those who wait first; when they are done, all others are. */
function groupOf(waiters: ReadonlySet<Ack>): readonly Ack[] {
  const group = [...waiters].filter(({ target }) => target !== null);
  if (group.length > 0) return group;
  const next = [...waiters];
  const target = Math.max(...next.map(({ place }) => place));
  for (const ack of next) ack.target = target;
  return next;
}

export function acknowledge(server: SimServer, replica: string, place: number): void {
  const { acked } = server.process;
  acked.set(replica, Math.max(place, acked.get(replica) ?? -1));
  releaseWaiters(server);
}
