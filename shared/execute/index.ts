/**
 * Runs a decision: the prelude in order, the tracks side by side, then the finale. A lock that the next of these stages
 * needs is kept for it. Stops a chain at the first step that fails and never decides what to do instead: the next look does. No step waits for an Event to be taken: it is
 * on its way before the record that says so, and nothing rests on it (ADR 14).
 */

import type { Contact } from "../access/index.ts";
import { type Decision, stepsOf } from "../model/decision.ts";
import { subjectOf } from "../model/job-order.ts";
import type { StatefulSet } from "../model/kube.ts";
import type { Observed } from "../model/observed.ts";
import type { Failure, Outcome } from "../model/outcome.ts";
import { succeed, unreachable } from "../model/outcome.ts";
import type { State } from "../model/state.ts";
import type { Step, Track } from "../model/step.ts";
import type { Clock, Ids, Log } from "../ports/host.ts";
import type { JobBodies } from "../ports/jobs.ts";
import type { Kube } from "../ports/kube.ts";
import { intentStands, type Spares } from "./fence.ts";
import { announce, type KubeScene, record, runKubeStep, type Telling } from "./kube-steps.ts";
import { runServerStep, Sessions, targets } from "./server-steps.ts";

export interface Executing {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly component: string;
  readonly contact: Contact;
  readonly observed: Observed;
  readonly spares: Spares;
  /** Null = this host makes no Jobs. */
  readonly jobs: JobBodies | null;
}

export interface Halt {
  readonly step: Step;
  readonly failure: Failure;
}

const OVER: Failure = { kind: "transient", message: "left to the next wake: the time of this pass is over" };

export interface Run {
  readonly done: number;
  /** The object as this run has recorded it; null = it recorded nothing. */
  readonly recorded: StatefulSet | null;
  /** The first failure of each track that did not reach its end. */
  readonly halts: readonly Halt[];
}

/** One sentence for logs and for the condition when a step is refused. */
export function describeStep(step: Step): string {
  switch (step.kind) {
    case "Prepare":
      return `preparing member ${step.ordinal} (${step.preparation.text})`;
    case "Seed":
      return `seeding member ${step.ordinal} from member ${step.donor}`;
    case "Follow":
      return `making member ${step.ordinal} follow member ${step.source}`;
    case "Acknowledge":
      return `switching acknowledgements of member ${step.ordinal} ${step.on ? "on" : "off"}`;
    case "Arm":
      return `making commits on member ${step.ordinal} wait for ${step.ackCount} acknowledgements`;
    case "Fence":
      return `putting member ${step.ordinal} out of service`;
    case "Demote":
      return `ending writes on member ${step.ordinal}`;
    case "StopReceiving":
      return `stopping the receiver of member ${step.ordinal}`;
    case "Promote":
      return `detaching member ${step.ordinal} from its source`;
    case "Restart":
      return `restarting member ${step.ordinal}`;
    case "ArchiveTail":
      return `archiving what only member ${step.ordinal} has on member ${step.primary}`;
    case "Nudge":
      return `committing a heartbeat on member ${step.ordinal}`;
    case "LockAccount":
      return `${step.locked ? "locking" : "unlocking"} the replication account of member ${step.ordinal}`;
    case "AwaitHolders":
      return `waiting until ${step.need} of ${members(step.holders)} hold what member ${step.primary} has`;
    case "Open":
      return `opening member ${step.ordinal} for writes in epoch ${step.epoch}`;
    case "Confirm":
      return `making sure that ${members(step.members.map(({ ordinal }) => ordinal))} still are as they were seen`;
    case "HandOver":
      return `leaving member ${step.ordinal} as an ordinary ${step.role}`;
    case "Record":
      return "recording what was decided";
    case "Event":
      return `telling ${step.reason}`;
    case "EnsureAccounts":
      return `making sure of passwords for the accounts of ${members(step.ordinals)}`;
    case "LabelPod":
      return `labelling pod ${step.pod}`;
    case "AnnotateClaim":
      return `annotating claim ${step.claim}`;
    case "EnsureService":
      return `routing Service ${step.name}`;
    case "DeleteService":
      return `removing Service ${step.name}`;
    case "StartJob":
      return `beginning the ${step.task.kind} of ${subjectOf(step.task)} in Job ${step.name}`;
    default:
      return unreachable(step);
  }
}

function members(ordinals: readonly number[]): string {
  return `members ${ordinals.join(", ")}`;
}

/** What the plan may rely on: the object with the intent, as it was observed or as this plan has recorded it. */
export interface Intent {
  set: Observed["set"];
  state: State | null;
  /**
   * That the intent stands, asked once for all steps on objects: the versions of those were seen before and
   * fence the rest. A record proves it as well.
   */
  confirmed: Promise<Outcome<null>> | null;
  /** Events on their way. */
  readonly telling: Telling[];
}

export async function runStep(
  { kube, clock, ids, component, contact, observed, jobs }: Executing,
  intent: Intent,
  sessions: Sessions,
  step: Step,
): Promise<Outcome<null>> {
  const now = () => new Date(clock.now()).toISOString();
  const scene: KubeScene = {
    kube,
    ids,
    set: intent.set,
    port: contact.engine.rules.port,
    component,
    now,
    jobs,
  };
  switch (step.kind) {
    case "Record": {
      const written = await record(scene, step);
      if (!written.ok) return written;
      intent.set = written.value;
      intent.state = step.state ?? intent.state;
      intent.confirmed = Promise.resolve(succeed(null));
      return succeed(null);
    }
    case "Event": {
      const stands = await confirmed(kube, intent);
      if (stands.ok) intent.telling.push(await announce(scene, step));
      return stands;
    }
    case "EnsureAccounts":
    case "EnsureService":
    case "LabelPod":
    case "AnnotateClaim":
    case "DeleteService":
    case "StartJob": {
      const stands = await confirmed(kube, intent);
      return stands.ok ? runKubeStep(scene, step) : stands;
    }
    default: {
      // No effect on a server without a recorded intent.
      if (intent.state === null) throw new Error(`${step.kind} without a recorded intent`);
      const { fence } = sessions;
      const { members } = observed;
      const outcome = await runServerStep(
        { fence, sessions, members, expected: intent.state, recorded: intent.set, clock },
        step,
      );
      // It has just read the intent on every one of its sessions.
      if (step.kind === "Confirm" && outcome.ok) intent.confirmed ??= Promise.resolve(outcome);
      return outcome;
    }
  }
}

/** Handshakes run beside the prelude, so that its tracks find their sessions connected. */
function connectEarly({ contact, observed, spares }: Executing, decision: Decision): void {
  const ordinals = new Set(stepsOf(decision).flatMap(targets));
  spares.connect(
    contact,
    observed.members.filter(({ ordinal }) => ordinals.has(ordinal)),
  );
}

function confirmed(kube: Kube, intent: Intent): Promise<Outcome<null>> {
  intent.confirmed ??= intentStands(kube, intent.set);
  return intent.confirmed;
}

/** Events that were not taken. What may not be told is a refusal like any other; the rest is in the history. */
async function unheard(telling: readonly Telling[]): Promise<readonly Halt[]> {
  const answers = await Promise.all(telling.map(async ({ step, told }) => ({ step, outcome: await told })));
  return answers.flatMap(({ step, outcome }) =>
    outcome.ok || outcome.failure.kind !== "refused" ? [] : [{ step, failure: outcome.failure }],
  );
}

/** The members that one chain alone acts on in both stages: it is the one that may leave its lock to the other. */
function inherited(stage: readonly Track[], next: readonly Track[]): ReadonlySet<number> {
  const alone = (chains: readonly Track[]): readonly number[] => {
    const all = chains.flatMap((chain) => [...new Set(chain.flatMap(targets))]);
    return all.filter((ordinal) => all.indexOf(ordinal) === all.lastIndexOf(ordinal));
  };
  const later = alone(next);
  return new Set(alone(stage).filter((ordinal) => later.includes(ordinal)));
}

interface Chain {
  readonly track: Track;
  readonly sessions: Sessions;
  /** Sessions that stay locked for the next stage. */
  readonly leaves: ReadonlySet<number>;
}

/** From `endsAtMs` on no step is begun any more, and those under way are finished; milliseconds since 1970, absent = never. */
export async function execute(
  executing: Executing,
  decision: Decision,
  endsAtMs: (() => number) | undefined,
): Promise<Run> {
  const { observed, kube, contact, log, spares } = executing;
  const state = observed.state.kind === "valid" ? observed.state.state : null;
  const intent: Intent = { set: observed.set, state, confirmed: null, telling: [] };
  let done = 0;
  const isOver = () => executing.clock.now() >= (endsAtMs?.() ?? Number.POSITIVE_INFINITY);
  connectEarly(executing, decision);

  const runChain = async ({ track, sessions, leaves }: Chain): Promise<Halt | null> => {
    let whole = false;
    try {
      for (const step of track) {
        // Between two steps is where it may be killed anyway; the next wake goes on from here.
        if (isOver()) return { step, failure: OVER };
        const outcome = await runStep(executing, intent, sessions, step);
        log.info(outcome.ok ? "step" : "step failed", {
          cluster: `${observed.ref.namespace}/${observed.ref.name}`,
          step: describeStep(step),
          ...(outcome.ok ? {} : { kind: outcome.failure.kind, reason: outcome.failure.message }),
        });
        if (!outcome.ok) return { step, failure: outcome.failure };
        done += 1;
      }
      whole = true;
      return null;
    } finally {
      await sessions.end(whole, whole ? leaves : undefined);
    }
  };

  const stages = [[decision.prelude], decision.tracks, [decision.finale]];
  let halts: readonly Halt[] = [];
  let before: readonly Chain[] = [];
  try {
    for (const [at, stage] of stages.entries()) {
      const leaves = inherited(stage, stages[at + 1] ?? []);
      const chains = stage.map((track): Chain => {
        const sessions = new Sessions({ kube, contact, set: observed.set }, spares);
        for (const chain of before) sessions.inherit(chain.sessions, track.flatMap(targets));
        return { track, sessions, leaves };
      });
      before = chains;
      halts = (await Promise.all(chains.map(runChain))).filter((halt) => halt !== null);
      if (halts.length > 0) break;
    }
  } finally {
    // Where a stage has failed, nobody comes for what others of it have left.
    await Promise.all(before.map(({ sessions }) => sessions.end(false)));
  }
  const recorded = intent.set === observed.set ? null : intent.set;
  return { ...{ done, recorded }, halts: [...halts, ...(await unheard(intent.telling))] };
}
