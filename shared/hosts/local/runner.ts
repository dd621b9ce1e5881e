/**
 * A resident host without its surroundings: events go in, passes come out. It keeps per cluster what makes
 * a quiet look cheap (the listed object and the memory of the last pass) and throws it away as soon as
 * anything but a sweep wakes the cluster. Losing all of it changes nothing but the number of reads.
 */
import { type ClusterRef, clusterKey, type Wake } from "../../model/cluster.ts";
import type { StatefulSet } from "../../model/kube.ts";
import type { ClusterMemory, PassRequest, PassResult, ReconcileContext } from "../../reconcile/index.ts";
import type { Archiver } from "../archive/archiver.ts";
import type { CloudEvent } from "../cloud-event.ts";
import { isBackupDue } from "../due-backups.ts";
import { readEvent } from "../events.ts";
import { isQuiet, listFleet, logPass } from "../fleet.ts";
import { type EventFunction, NOTHING, type Reaction, react } from "../functions.ts";
import type { Announcer } from "../outgoing/announcer.ts";
import { createQueue, type Queue } from "../queue.ts";
import { chooseLooks, isManaged, type Seen, type Sighting, sightingOf } from "../sweep.ts";

/** A listed object that waited longer than this is read again by the pass. */
const ENTRY_AGE_MAX_MS = 2_000;
const LOOK_AGAIN_LEAST_MS = 200;

export interface RunnerOptions {
  readonly context: ReconcileContext;
  readonly pass: (context: ReconcileContext, request: PassRequest) => Promise<PassResult>;
  readonly functions: readonly EventFunction[];
  /** Empty = all namespaces. */
  readonly namespaces: readonly string[];
  readonly lookEveryMs: number;
  readonly concurrency: number;
  /** Absent = this host archives nothing. */
  readonly archiver?: Archiver;
  /** Absent = nobody wants to be told. */
  readonly announcer?: Announcer;
  readonly onEvent?: (event: CloudEvent, reaction: Reaction) => void;
  readonly onPass?: (result: PassResult, request: PassRequest) => void;
}

export interface Runner {
  /** Only enqueues; never throws on what an event holds. */
  emit(event: CloudEvent): void;
  /** What functions made of an event. False when a cluster found no place to wait in: ask for the event again. */
  take(reaction: Reaction): boolean;
  /** For what is no event of the API server; outside of the namespaces served it does nothing. */
  wake(wake: Wake): void;
  /** When the last pass began that could see how the cluster is, milliseconds since 1970; null = there was none. */
  lookedAtMs(ref: ClusterRef): number | null;
  /** Resolves when no cluster waits for a pass and none is running; a retry after a failure waits too. */
  idle(): Promise<void>;
  /**
   * Starts nothing more and waits at most `graceMs` for the passes under way: one may end anywhere. For half of that they
   * begin further steps.
   */
  stop(graceMs: number): Promise<void>;
}

interface Seat {
  memory: ClusterMemory | null;
  /** Who did not answer at the end of the last pass. */
  silent: ReadonlySet<number>;
  entry: { readonly set: StatefulSet; readonly listedAtMs: number } | null;
  /** Something else than a sweep woke the cluster since its last pass began. */
  disturbed: boolean;
  /** As the last sweep that chose this cluster saw it. */
  sighting: Sighting | null;
  lookedAtMs: number;
  /** Start of the last pass that did not fail. */
  seenAtMs: number | null;
  passes: number;
}

function newSeat(): Seat {
  return {
    memory: null,
    silent: new Set(),
    entry: null,
    disturbed: false,
    sighting: null,
    lookedAtMs: 0,
    seenAtMs: null,
    passes: 0,
  };
}

interface Fleet {
  readonly options: RunnerOptions;
  readonly queue: Queue;
  readonly seats: Map<string, Seat>;
  /** When no pass begins anything more, milliseconds since 1970; infinite until this host is told to stop. */
  endsAtMs: number;
}

function wakeUp({ options, queue, seats }: Fleet, wake: Wake): boolean {
  const seat = seats.get(clusterKey(wake.ref));
  if (seat !== undefined) seat.disturbed = true;
  if (queue.add(wake)) return true;
  options.context.log.warn("a wake was left to the next sweep", {
    cluster: clusterKey(wake.ref),
    cause: wake.cause,
  });
  return false;
}

async function runPass(fleet: Fleet, wake: Wake): Promise<boolean> {
  const { context, pass, onPass } = fleet.options;
  const { ref, cause, origins } = wake;
  const key = clusterKey(ref);
  const seat = fleet.seats.get(key) ?? newSeat();
  fleet.seats.set(key, seat);
  const startedAtMs = context.clock.now();
  const fresh =
    !seat.disturbed && seat.entry !== null && startedAtMs - seat.entry.listedAtMs <= ENTRY_AGE_MAX_MS;
  const entry = fresh && seat.entry !== null ? seat.entry.set : null;
  const { silent } = seat;
  const archive = fleet.options.archiver?.reportOf(ref) ?? null;
  const request: PassRequest = {
    ref,
    cause,
    ...(origins !== undefined && { origins }),
    entry,
    memory: seat.disturbed ? null : seat.memory,
    silent,
    archive,
    endsAtMs: () => fleet.endsAtMs,
  };
  Object.assign(seat, { memory: null, entry: null, disturbed: false, lookedAtMs: startedAtMs });
  seat.passes += 1;

  const result = await pass(context, request);

  if (result.outcome !== "failed") seat.seenAtMs = startedAtMs;
  seat.memory = result.memory;
  seat.silent = result.silent;
  logPass(context.log, request, result, context.clock.now() - startedAtMs);
  onPass?.(result, request);
  if (!isQuiet(request, result)) announce(fleet.options, ref);
  if (result.outcome === "unmanaged") fleet.seats.delete(key);
  // The queue keeps the retry until the back-off is over.
  else if (result.outcome === "failed") wakeUp(fleet, { ref, cause: "retry", priority: "normal" });
  else if (result.lookAgainMs !== null) lookAgain(fleet, { ref, seat, afterMs: result.lookAgainMs });
  return result.outcome !== "failed";
}

/** The next sweep would come to it as well; where sweeps are rare, that is late. */
function announce({ context, announcer }: RunnerOptions, ref: ClusterRef): void {
  if (announcer === undefined) return;
  const reading = context.kube.read("StatefulSet", ref);
  reading
    .then((read) => (read.ok ? announcer.look([read.value]) : undefined))
    .catch((error: unknown) => {
      context.log.warn("a cluster could not be announced for an unexpected error", { error: String(error) });
    });
}

/** Comes back on time where a stateless host would wait for the next sweep. */
function lookAgain(
  fleet: Fleet,
  { ref, seat, afterMs }: { ref: ClusterRef; seat: Seat; afterMs: number },
): void {
  const { clock } = fleet.options.context;
  const passes = seat.passes;
  void clock.sleep(Math.max(afterMs, LOOK_AGAIN_LEAST_MS)).then(() => {
    const superseded = fleet.seats.get(clusterKey(ref)) !== seat || seat.passes !== passes;
    if (!superseded) wakeUp(fleet, { ref, cause: "look again", priority: "normal" });
  });
}

function wakeDue({ options, queue, seats }: Fleet, sets: readonly StatefulSet[], listedAtMs: number): void {
  const present = new Map(sets.map((set) => [clusterKey(set), set]));
  for (const key of seats.keys()) if (!present.has(key)) seats.delete(key);
  options.announcer?.look(sets);
  const seen = new Map<string, Seen>();
  for (const [key, { sighting, lookedAtMs }] of seats) {
    if (sighting !== null) seen.set(key, { sighting, lookedAtMs });
  }
  const looks = chooseLooks(sets, { nowMs: listedAtMs, lookEveryMs: options.lookEveryMs, seen });
  for (const { ref, entry: set, reason } of looks) {
    const key = clusterKey(ref);
    const wake: Wake = { ref, cause: `sweep: ${reason}`, priority: "normal" };
    if (!queue.add(wake, { eager: reason === "wish changed" })) continue;
    const seat = seats.get(key) ?? newSeat();
    seats.set(key, seat);
    seat.entry = { set, listedAtMs };
    seat.sighting = sightingOf(set);
  }
}

/** One list is enough for both, which mostly come together. */
function wakeDueAndArchive(fleet: Fleet, sets: readonly StatefulSet[], listedAtMs: number): void {
  wakeDue(fleet, sets, listedAtMs);
  fleet.options.archiver?.look(sets);
}

function followLogs({ options }: Fleet, sets: readonly StatefulSet[]): void {
  options.archiver?.look(sets);
}

function wakeForBackups(fleet: Fleet, sets: readonly StatefulSet[], listedAtMs: number): void {
  for (const set of sets) {
    const { namespace, name } = set;
    if (!isManaged(set) || !isBackupDue(set, listedAtMs)) continue;
    wakeUp(fleet, { ref: { namespace, name }, cause: "a backup is due", priority: "normal" });
  }
}

type UseOfFleet = (fleet: Fleet, sets: readonly StatefulSet[], listedAtMs: number) => void;

/** Lists the fleet for one use of it, and is skipped while it still does so. What is the matter is told once. */
function lister(fleet: Fleet, use: UseOfFleet): () => Promise<void> {
  const { kube, clock, log } = fleet.options.context;
  let listing = false;
  let lastFailure: string | null = null;
  return async () => {
    if (listing) return;
    listing = true;
    const listedAtMs = clock.now();
    const listed = await listFleet(kube, fleet.options.namespaces).finally(() => {
      listing = false;
    });
    const failure = typeof listed === "string" ? listed : null;
    if (failure !== null && failure !== lastFailure)
      log.warn("a sweep could not list the fleet", { failure });
    lastFailure = failure;
    if (typeof listed !== "string") use(fleet, listed, listedAtMs);
  };
}

export function createRunner(options: RunnerOptions): Runner {
  const { clock, ids, log } = options.context;
  const { concurrency, functions, namespaces } = options;
  const work = (wake: Wake): Promise<boolean> => runPass(fleet, wake);
  const queue = createQueue({ clock, ids, log, concurrency, work });
  const fleet: Fleet = { options, queue, seats: new Map(), endsAtMs: Number.POSITIVE_INFINITY };
  const sweep = lister(fleet, wakeDue);
  const sweepAndArchive = lister(fleet, wakeDueAndArchive);
  const lookForArchives = lister(fleet, followLogs);
  const lookForBackups = lister(fleet, wakeForBackups);

  function reportBug(error: unknown): void {
    log.warn("a sweep was broken off by an unexpected error", { error: String(error) });
  }

  function isInScope({ ref }: Wake): boolean {
    return namespaces.length === 0 || namespaces.includes(ref.namespace);
  }

  function take({ wakes, sweep: sweeps, backups, archives }: Reaction): boolean {
    const placed = wakes.filter(isInScope).map((one) => wakeUp(fleet, one));
    if (sweeps) (archives ? sweepAndArchive : sweep)().catch(reportBug);
    else if (archives) lookForArchives().catch(reportBug);
    if (backups) lookForBackups().catch(reportBug);
    return placed.every(Boolean);
  }

  return {
    take,
    wake: (one) => void take({ ...NOTHING, wakes: [one] }),
    emit(event) {
      const read = readEvent(event);
      if (!read.ok) return log.warn("an event was refused", { reason: read.failure.message });
      const reaction = react(functions, [read.value]);
      options.onEvent?.(event, reaction);
      take(reaction);
    },
    lookedAtMs: (ref) => fleet.seats.get(clusterKey(ref))?.seenAtMs ?? null,
    idle: queue.idle,
    async stop(graceMs) {
      fleet.endsAtMs = clock.now() + graceMs / 2;
      await Promise.race([queue.close(), clock.sleep(graceMs)]);
    },
  };
}
