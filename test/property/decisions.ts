/** Checks over random snapshots: how they are run, and what a decision writes and does. */
import fc from "fast-check";
import { decide } from "../../shared/decide/index.ts";
import type { Decision } from "../../shared/model/decision.ts";
import type { Observed } from "../../shared/model/observed.ts";
import type { ServerFacts } from "../../shared/model/server.ts";
import type { State } from "../../shared/model/state.ts";
import type { ServerStep, Step } from "../../shared/model/step.ts";
import { anyOperation } from "../support/any-operation.ts";
import { anySituation } from "../support/any-situation.ts";
import { isOfKind, stepsOf, stepsOfKind } from "../support/carry-out.ts";
import { propertyRuns } from "../support/property-runs.ts";
import { NOW_MS, RULES } from "../support/situation.ts";

export const RUNS = propertyRuns(1_500, 200_000);

/** Complete, since a step of a new kind has to be entered here. */
export const SERVER_STEPS: Readonly<Record<ServerStep["kind"], true>> = {
  Prepare: true,
  Seed: true,
  Follow: true,
  Acknowledge: true,
  LockAccount: true,
  Confirm: true,
  Fence: true,
  Demote: true,
  StopReceiving: true,
  Promote: true,
  Restart: true,
  ArchiveTail: true,
  Nudge: true,
  Arm: true,
  AwaitHolders: true,
  Open: true,
  HandOver: true,
};

export function deciding(of: Observed): Decision {
  return decide(of, RULES, NOW_MS);
}

export function serverSteps(decision: Decision): readonly Step[] {
  return stepsOf(decision).filter((step) => step.kind in SERVER_STEPS);
}

export function recorded(of: Observed): State | null {
  return of.state.kind === "valid" ? of.state.state : null;
}

/** Runs a check over random snapshots; a failure prints seed and path, which replay it. */
export function always(
  check: (of: Observed, decision: Decision) => void,
  situations: fc.Arbitrary<Observed> = fc.oneof(anySituation, anyOperation),
): void {
  fc.assert(
    fc.property(situations, (of) => check(of, deciding(of))),
    { numRuns: RUNS },
  );
}

export function factsAt(of: Observed, ordinal: number): ServerFacts | null {
  const server = of.members[ordinal]?.server;
  return server?.kind === "read" ? server.facts : null;
}

/** What this decision writes beside an equal part of what was there: null = no state is written. */
export function change(of: Observed, decision: Decision): { before: State | null; after: State } | null {
  const [record] = stepsOfKind(decision, "Record");
  return record?.state == null ? null : { before: recorded(of), after: record.state };
}

/** Steps of one kind, each with the record that it runs under: that of its own decision from where it stands there. */
export function underRecord<K extends Step["kind"]>(of: Observed, decision: Decision, kind: K) {
  let state = recorded(of);
  return stepsOf(decision).flatMap((step) => {
    if (step.kind === "Record") state = step.state ?? state;
    return isOfKind(step, kind) ? [{ step, state }] : [];
  });
}
