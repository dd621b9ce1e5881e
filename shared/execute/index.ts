/**
 * Runs a decision: the prelude in order, then the tracks side by side. Stops a track at the first step that
 * fails and never decides what to do instead: the next look does.
 */

import type { Contact } from "../access/index.ts";
import type { Decision } from "../model/decision.ts";
import type { Observed } from "../model/observed.ts";
import type { Failure, Outcome } from "../model/outcome.ts";
import { succeed } from "../model/outcome.ts";
import type { State } from "../model/state.ts";
import type { Step, Track } from "../model/step.ts";
import type { Clock, Ids, Log } from "../ports/host.ts";
import type { Kube } from "../ports/kube.ts";
import { announce, type KubeScene, record, runKubeStep } from "./kube-steps.ts";
import { runServerStep, type ServerScene, Sessions } from "./server-steps.ts";

export interface Executing {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly component: string;
  readonly contact: Contact;
  readonly observed: Observed;
}

export interface Halt {
  readonly step: Step;
  readonly failure: Failure;
}

export interface Run {
  readonly done: number;
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
    case "Open":
      return `opening member ${step.ordinal} for writes in epoch ${step.epoch}`;
    default:
      return step.kind;
  }
}

export async function execute(executing: Executing, decision: Decision): Promise<Run> {
  const { observed, kube, clock } = executing;
  const now = () => new Date(clock.now()).toISOString();
  const intent: { set: Observed["set"]; state: State | null } = {
    set: observed.set,
    state: observed.state.kind === "valid" ? observed.state.state : null,
  };
  let done = 0;

  const runTrack = async (track: Track): Promise<Halt | null> => {
    const fence = { kube, contact: executing.contact, set: observed.set };
    const sessions = new Sessions(fence);
    try {
      for (const step of track) {
        const outcome = await runStep(step, sessions, fence);
        executing.log.info(outcome.ok ? "step" : "step failed", {
          cluster: `${observed.ref.namespace}/${observed.ref.name}`,
          step: describeStep(step),
          ...(outcome.ok ? {} : { kind: outcome.failure.kind, reason: outcome.failure.message }),
        });
        if (!outcome.ok) return { step, failure: outcome.failure };
        done += 1;
      }
      return null;
    } finally {
      await sessions.closeAll();
    }
  };

  const runStep = async (
    step: Step,
    sessions: Sessions,
    fence: ServerScene["fence"],
  ): Promise<Outcome<null>> => {
    const { ids, component, contact } = executing;
    const scene: KubeScene = { kube, ids, set: intent.set, port: contact.engine.rules.port, component, now };
    switch (step.kind) {
      case "Record": {
        const written = await record(scene, step);
        if (!written.ok) return written;
        intent.set = written.value;
        intent.state = step.state ?? intent.state;
        return succeed(null);
      }
      case "Event":
        return announce(scene, step);
      case "EnsureAccounts":
      case "EnsureService":
      case "LabelPod":
      case "AnnotateClaim":
      case "DeleteService":
        return runKubeStep(scene, step);
      default: {
        // No effect on a server without a recorded intent.
        if (intent.state === null) throw new Error(`${step.kind} without a recorded intent`);
        return runServerStep(
          { fence, sessions, members: observed.members, expected: intent.state, now },
          step,
        );
      }
    }
  };

  const first = await runTrack(decision.prelude);
  if (first !== null) return { done, halts: [first] };
  const halts = await Promise.all(decision.tracks.map(runTrack));
  return { done, halts: halts.filter((halt) => halt !== null) };
}
