/**
 * Runs a decision: the prelude in order, the tracks side by side, then the finale. Stops a track at the first step that
 * fails and never decides what to do instead: the next look does. No step waits for an Event to be taken: it is
 * on its way before the record that says so, and nothing rests on it (ADR 14).
 */

import type { Contact } from "../access/index.ts";
import { type Decision, stepsOf } from "../model/decision.ts";
import type { StatefulSet } from "../model/kube.ts";
import type { Observed } from "../model/observed.ts";
import type { Failure, Outcome } from "../model/outcome.ts";
import { succeed } from "../model/outcome.ts";
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
      return `waiting until ${step.need} of members ${step.holders.join(", ")} hold what member ${step.primary} has`;
    case "Open":
      return `opening member ${step.ordinal} for writes in epoch ${step.epoch}`;
    case "StartJob":
      return `beginning the ${step.task.kind} of ${step.task.slot} in Job ${step.name}`;
    default:
      return step.kind;
  }
}

/** What the plan may rely on: the object with the intent, as it was observed or as this plan has recorded it. */
interface Intent {
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

async function runStep(
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

export async function execute(executing: Executing, decision: Decision): Promise<Run> {
  const { observed, kube, contact, log, spares } = executing;
  const state = observed.state.kind === "valid" ? observed.state.state : null;
  const intent: Intent = { set: observed.set, state, confirmed: null, telling: [] };
  let done = 0;
  connectEarly(executing, decision);

  const runTrack = async (track: Track): Promise<Halt | null> => {
    const sessions = new Sessions({ kube, contact, set: observed.set }, spares);
    let whole = false;
    try {
      for (const step of track) {
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
      await sessions.end(whole);
    }
  };

  const first = await runTrack(decision.prelude);
  const beside = first === null ? await Promise.all(decision.tracks.map(runTrack)) : [first];
  const halts = beside.every((halt) => halt === null) ? [await runTrack(decision.finale)] : beside;
  const recorded = intent.set === observed.set ? null : intent.set;
  return {
    ...{ done, recorded },
    halts: [...halts.filter((halt) => halt !== null), ...(await unheard(intent.telling))],
  };
}
