/**
 * One pass over one cluster: observe, decide, execute, and again while there is something to do and budget
 * left. It keeps nothing: killed anywhere, the next pass looks again and goes on.
 */
import { ANNOTATION, LABEL } from "../annotations/keys.ts";
import { decide } from "../decide/index.ts";
import { Spares } from "../execute/fence.ts";
import { describeStep, execute, type Halt, type Run } from "../execute/index.ts";
import type { ArchiveReport } from "../model/backup.ts";
import { type ClusterRef, clusterKey } from "../model/cluster.ts";
import type { Phase } from "../model/condition.ts";
import { type Decision, stepsOf } from "../model/decision.ts";
import type { StatefulSet } from "../model/kube.ts";
import type { Observed } from "../model/observed.ts";
import { type Outcome, succeed } from "../model/outcome.ts";
import type { Step } from "../model/step.ts";
import type { TraceOrigin } from "../model/trace-origin.ts";
import { readSurroundings, type Surroundings } from "../observe/cluster.ts";
import { observe } from "../observe/index.ts";
import type { Engine } from "../ports/engine.ts";
import type { Clock, Ids, Log } from "../ports/host.ts";
import type { JobBodies } from "../ports/jobs.ts";
import type { Kube } from "../ports/kube.ts";
import type { Servers } from "../ports/server.ts";
import type { Trace } from "../ports/trace.ts";

export interface ReconcileContext {
  readonly kube: Kube;
  readonly servers: Servers;
  /** By the name that stands in `ordinal.dev/engine`. */
  readonly engines: Readonly<Record<string, Engine>>;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  /** Names the host to the API server and to the database's session lists. */
  readonly component: string;
  /** Null = this host makes no Jobs, and so no backups. */
  readonly jobs: JobBodies | null;
  /** No new look is begun after this long, milliseconds. */
  readonly budgetMs: number;
  /** Told what the pass does; absent = nobody wants to know. */
  readonly trace?: Trace;
}

/** What a resident host may keep between passes to look from afar; no ground of an action unless found unchanged. */
export type ClusterMemory = Surroundings;

export interface PassRequest {
  readonly ref: ClusterRef;
  readonly cause: string;
  /** What it is traced by: only for whoever looks at traces. */
  readonly origins?: readonly TraceOrigin[];
  /** The StatefulSet as a sweep has just listed it; null = read it. */
  readonly entry: StatefulSet | null;
  readonly memory: ClusterMemory | null;
  /** What this host says of the archive that it keeps of this cluster; absent = it keeps none. */
  readonly archive?: ArchiveReport | null;
  /** Ordinals of members that did not answer just now; they are not waited for as long. */
  readonly silent?: ReadonlySet<number>;
  /**
   * When its host takes the time away: from then on no step and no look is begun, and the next wake goes on. Asked again and
   * again, since a host may be told to stop meanwhile. Milliseconds since 1970; absent = never.
   */
  readonly endsAtMs?: () => number;
}

export interface PassResult {
  readonly ref: ClusterRef;
  readonly outcome: "settled" | "waiting" | "blocked" | "failed" | "unmanaged";
  /** When to look again, milliseconds from now; null = when something happens. */
  readonly lookAgainMs: number | null;
  readonly phase: Phase | null;
  readonly memory: ClusterMemory | null;
  /** Ordinals of members that did not answer at its end. */
  readonly silent: ReadonlySet<number>;
  /** Why, in one sentence. */
  readonly message: string;
}

/** Conflicts in a row before the pass leaves it to the next wake. */
const CONFLICTS_MAX = 5;
const RETRY_MS = 1_000;

/** Everything that one look at the cluster led to. */
type Turn =
  | { readonly kind: "end"; readonly result: PassResult }
  | {
      readonly kind: "again";
      readonly afterMs: number;
      readonly refusal: string | null;
      readonly conflict: boolean;
      readonly message: string;
      /** What was carried out, to notice a plan that is carried out again and again. */
      readonly plan: string | null;
      /** Ordinals of members that did not answer. */
      readonly silent: ReadonlySet<number>;
      readonly heldUp: boolean;
      readonly kept: Kept | null;
    };

/**
 * What a look of this very pass has read, or its record has written. Nothing of ours has changed it since, and what
 * somebody else has changed is noticed by its version before it is written.
 */
interface Kept {
  readonly set: StatefulSet | null;
  readonly surroundings: Surroundings | null;
  /** When the older of the two was read. */
  readonly readAtMs: number;
}

const KEPT_MS = 2_000;
const CHANGES_SURROUNDINGS: ReadonlySet<Step["kind"]> = new Set([
  "EnsureAccounts",
  "EnsureService",
  "DeleteService",
  "AnnotateClaim",
]);

function isUntouched(decision: Decision): boolean {
  return !stepsOf(decision).some(({ kind }) => CHANGES_SURROUNDINGS.has(kind));
}

/**
 * What was remembered may be acted upon once it is read anew and nothing differs, versions included: then it was so
 * all the time that the look took.
 */
async function areAsRemembered(
  kube: Kube,
  { set, wish }: Observed,
  remembered: Surroundings | null,
): Promise<boolean> {
  const now = await readSurroundings(kube, set, wish.spec?.credentials ?? null);
  return now.ok && JSON.stringify(now.value) === JSON.stringify(remembered);
}

type Again = Extract<Turn, { kind: "again" }>;

function again(message: string, more: Partial<Omit<Again, "kind" | "message">> = {}): Turn {
  const none = { afterMs: 0, refusal: null, conflict: false, plan: null, silent: NOBODY };
  return { kind: "again", ...none, heldUp: false, kept: null, ...more, message };
}

const NOBODY: ReadonlySet<number> = new Set();

function silentIn({ members }: Observed): ReadonlySet<number> {
  return new Set(members.filter(({ server }) => server.kind === "unreachable").map(({ ordinal }) => ordinal));
}

function isOurs(set: StatefulSet): boolean {
  return set.annotations[ANNOTATION.engine] !== undefined || set.labels[LABEL.managed] === "true";
}

export function engineOf({ engines }: Pick<ReconcileContext, "engines">, set: StatefulSet): Engine {
  const name = set.annotations[ANNOTATION.engine] ?? "";
  // Somebody wrote it: `constructor` is in every object.
  const named = Object.hasOwn(engines, name) ? engines[name] : undefined;
  const engine = named ?? Object.values(engines)[0];
  if (engine === undefined) throw new Error("no engine is known");
  return engine;
}

function readSet(
  { kube }: ReconcileContext,
  { entry, ref }: PassRequest,
  known: StatefulSet | null,
  first: boolean,
): Promise<Outcome<StatefulSet>> {
  const present = first ? entry : known;
  return present === null ? kube.read("StatefulSet", ref) : Promise.resolve(succeed(present));
}

function haltedTurn(request: PassRequest, run: Run, halt: Halt, phase: Phase): Turn {
  const { failure, step } = halt;
  const message = `${describeStep(step)}: ${failure.message}`;
  switch (failure.kind) {
    case "conflict":
    case "gone":
      return again(message, { conflict: run.done === 0 });
    case "refused":
      // A record that is refused (no room) cannot carry the news of its own refusal.
      if (step.kind === "Record") return failed(request, message, phase);
      return again(message, { refusal: message });
    case "transient":
      return again(message, { afterMs: failure.retryAfterMs ?? RETRY_MS });
  }
}

function failed(request: PassRequest, message: string, phase: Phase | null): Turn {
  return {
    kind: "end",
    result: {
      ref: request.ref,
      outcome: "failed",
      lookAgainMs: RETRY_MS,
      phase,
      memory: null,
      silent: NOBODY,
      message,
    },
  };
}

interface Attempt {
  readonly first: boolean;
  readonly refusal: string | null;
  readonly impatient: ReadonlySet<number>;
  /** The look before this one was held up and told nothing. */
  readonly heldUp: boolean;
  readonly kept: Kept | null;
  readonly spares: Spares;
}

const UNMANAGED = { outcome: "unmanaged", lookAgainMs: null, phase: null, memory: null } as const;

/** Longer than any look takes in which a member does not answer. */
const LOOK_MS = 5_000;

/** One look and what follows from it. */
async function turn(context: ReconcileContext, request: PassRequest, attempt: Attempt): Promise<Turn> {
  const looked = await lookAndAct(context, request, attempt);
  return looked.kind === "again" && looked.silent === NOBODY
    ? { ...looked, silent: attempt.impatient }
    : looked;
}

async function lookAndAct(context: ReconcileContext, request: PassRequest, attempt: Attempt): Promise<Turn> {
  const { ref, endsAtMs } = request;
  const end = (result: Omit<PassResult, "ref" | "silent">, silent = NOBODY): Turn => ({
    kind: "end",
    result: { ref, silent, ...result },
  });
  const lookedAtMs = context.clock.now();
  const recent = attempt.kept !== null && lookedAtMs - attempt.kept.readAtMs < KEPT_MS ? attempt.kept : null;
  const set = await readSet(context, request, recent?.set ?? null, attempt.first);
  if (!set.ok) {
    if (set.failure.kind !== "gone") return failed(request, set.failure.message, null);
    return end({ ...UNMANAGED, message: "it no longer exists" });
  }
  if (!isOurs(set.value) || set.value.deleting)
    return end({ ...UNMANAGED, message: "not managed by Ordinal" });
  const { kube, servers, clock, component } = context;
  const engine = engineOf(context, set.value);
  const attributes = { program_name: component, cluster: clusterKey(ref) };
  const around = recent?.surroundings ?? null;
  const surroundings = around ?? (attempt.first ? request.memory : null);
  const observing = context.trace?.begin("observe");
  const looked = await observe(
    {
      ...{ kube, servers, engine, attributes, surroundings, recent: around !== null },
      ...{ refusal: attempt.refusal, impatient: attempt.impatient, archive: request.archive ?? null },
    },
    set.value,
  );
  observing?.(looked.ok ? "ok" : looked.failure.kind);
  if (!looked.ok) return failed(request, looked.failure.message, null);
  const { observed, contact } = looked.value;
  const readAtMs = around === null ? lookedAtMs : (recent?.readAtMs ?? lookedAtMs);
  const kept: Kept = { set: null, surroundings: looked.value.surroundings, readAtMs };
  // It shows the world as it was when it was begun, however long a silent member held it up.
  const deciding = context.trace?.begin("decide");
  const decision = decide(observed, engine.rules, lookedAtMs);
  deciding?.();
  const idle = decision.prelude.length === 0 && decision.tracks.length === 0;
  const { phase, why: message, lookAgainMs } = decision;
  const silent = silentIn(observed);
  if (!idle && !observed.full && !(await areAsRemembered(kube, observed, kept.surroundings)))
    return again(message, { silent });
  // Frozen half way, it saw parts of two worlds. Where every look takes so long, the next one has to do.
  if (!attempt.heldUp && clock.now() - lookedAtMs > LOOK_MS)
    return again("the look was held up, and is repeated", {
      ...{ heldUp: true, refusal: attempt.refusal },
      silent,
    });
  if (!idle) {
    const run = await execute({ ...context, contact, observed, spares: attempt.spares }, decision, endsAtMs);
    const [halt] = run.halts;
    if (halt !== undefined) return haltedTurn(request, run, halt, phase);
    const plan = JSON.stringify(decision.tracks);
    if (attempt.refusal === null) {
      const untouched = isUntouched(decision) ? kept.surroundings : null;
      return again(message, { plan, silent, kept: { ...kept, set: run.recorded, surroundings: untouched } });
    }
  }
  if (attempt.refusal !== null) return failed(request, attempt.refusal, phase);
  if (lookAgainMs !== null)
    return again(message, { afterMs: lookAgainMs, silent, kept: observed.full ? kept : null });
  const outcome = phase === "Blocked" ? "blocked" : "settled";
  return end({ outcome, lookAgainMs: null, phase, memory: looked.value.surroundings, message }, silent);
}

function endOf({ endsAtMs }: PassRequest): number {
  return endsAtMs?.() ?? Number.POSITIVE_INFINITY;
}

/** A plan that is done and comes back at once has not had its effect yet, e.g. a receiver that is connecting. */
function pauseAfter(next: Again, repeats: number, fraction: number): number {
  if (next.conflict) return next.afterMs + Math.round(fraction * 100);
  return repeats === 0 ? next.afterMs : Math.min(RETRY_MS * 5, 100 * 2 ** repeats);
}

/**
 * Looks and acts until the cluster is settled, blocked or waiting beyond the budget. Operating errors are part
 * of the result; only bugs are thrown.
 */
export async function reconcile(context: ReconcileContext, request: PassRequest): Promise<PassResult> {
  const spares = new Spares();
  try {
    return await turns(context, request, spares);
  } finally {
    await spares.closeAll();
  }
}

async function turns(context: ReconcileContext, request: PassRequest, spares: Spares): Promise<PassResult> {
  const startedAt = context.clock.now();
  let conflicts = 0;
  let repeats = 0;
  let lastPlan: string | null = null;
  let attempt: Attempt = {
    ...{ first: true, refusal: null, heldUp: false, kept: null, spares },
    impatient: request.silent ?? NOBODY,
  };
  for (;;) {
    const next = await turn(context, request, attempt);
    if (next.kind === "end") return next.result;
    conflicts = next.conflict ? conflicts + 1 : 0;
    repeats = next.plan !== null && next.plan !== "[]" && next.plan === lastPlan ? repeats + 1 : 0;
    lastPlan = next.plan;
    const pauseMs = pauseAfter(next, repeats, context.ids.fraction());
    const nextAt = context.clock.now() + pauseMs;
    const isOver = nextAt - startedAt >= context.budgetMs || nextAt >= endOf(request);
    if (conflicts >= CONFLICTS_MAX || isOver) {
      return {
        ref: request.ref,
        outcome: "waiting",
        lookAgainMs: Math.max(pauseMs, RETRY_MS),
        phase: null,
        memory: null,
        silent: next.silent,
        message: next.message,
      };
    }
    if (pauseMs > 0) await context.clock.sleep(pauseMs);
    const { refusal, silent, heldUp, kept } = next;
    attempt = { first: false, refusal, impatient: silent, heldUp, kept, spares };
  }
}
