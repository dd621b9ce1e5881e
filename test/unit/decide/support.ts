/** Clusters whose primary is gone or handing over, for the tables of failover and what follows it. */
import { decide } from "../../../shared/decide/index.ts";
import type { Decision } from "../../../shared/model/decision.ts";
import type { Observed } from "../../../shared/model/observed.ts";
import type { Channel, ServerFacts } from "../../../shared/model/server.ts";
import type { Config, State } from "../../../shared/model/state.ts";
import type { Step } from "../../../shared/model/step.ts";
import { stepsOf, stepsOfKind } from "../../support/carry-out.ts";
import {
  type Change,
  CLUSTER_UID,
  channelTo,
  config,
  NOW_MS,
  RULES,
  replicaFacts,
  server,
  state,
  steadyState,
  uuidOf,
} from "../../support/situation.ts";

/** mysql-2 is counted on no more. */
export const settledAckers = config(3, { ackers: config(3).ackers.slice(0, 1) });
export const without: Change = state(steadyState(3, { established: settledAckers }));

export function changed(of: Observed, ...changes: readonly Change[]): Observed {
  return changes.reduce<Observed>((so, change) => change(so), of);
}

export function deciding(of: Observed, ...changes: readonly Change[]): Decision {
  return decide(changed(of, ...changes), RULES, NOW_MS);
}

/** What is recorded beside the report; null when nothing is. */
export function recordedBy(decision: Decision): State | null {
  return stepsOfKind(decision, "Record")[0]?.state ?? null;
}

/** What stands in the record when the whole plan was carried out. */
export function lastRecorded(decision: Decision): State | null {
  return stepsOfKind(decision, "Record").at(-1)?.state ?? null;
}

export function reasons(decision: Decision): readonly string[] {
  return stepsOfKind(decision, "Event").map((step) => step.reason);
}

export function codes(decision: Decision): readonly string[] {
  return decision.problems.map((problem) => problem.code);
}

/** Steps that reach for a server. */
export function serverSteps(decision: Decision): readonly Step[] {
  const elsewhere = [
    "Record",
    "Event",
    "EnsureAccounts",
    "LabelPod",
    "AnnotateClaim",
    "EnsureService",
    "StartJob",
  ];
  return stepsOf(decision).filter((step) => !elsewhere.includes(step.kind));
}

/** A replica whose stream from `source` is as `more` says. */
export function replica(
  ordinal: number,
  more: Partial<ServerFacts> = {},
  channel: Partial<Channel> = {},
): Change {
  const account = RULES.replicationAccount(ordinal);
  return server(ordinal, replicaFacts(ordinal, { channel: channelTo(0, { account, ...channel }), ...more }));
}

/** Members that receive from nobody any more. */
export function cut(...ordinals: readonly number[]): Change {
  return (of) => changed(of, ...ordinals.map((ordinal) => replica(ordinal, {}, { receiver: "off" })));
}

/** Members whose primary fell silent. */
export function connecting(...ordinals: readonly number[]): Change {
  return (of) => changed(of, ...ordinals.map((ordinal) => replica(ordinal, {}, { receiver: "connecting" })));
}

export function instant(beforeMs: number): string {
  return new Date(NOW_MS - beforeMs).toISOString();
}

type Kind = NonNullable<State["op"]>["kind"];

export function operation(kind: Kind, target: number | null = null, beganMs = 1_000): State["op"] {
  return { id: `${kind}-2`, kind, step: "Any", startedAt: instant(beganMs), target };
}

/** Epoch 2 is claimed. */
export function revoking(replicas: number, kind: Kind = "failover", more: Partial<State> = {}): State {
  return steadyState(replicas, { epoch: 2, phase: "Revoking", op: operation(kind), ...more });
}

export function configOf(primary: number, ackers: readonly number[], ackCount = 1): Config {
  return {
    primary: { ordinal: primary, serverUuid: uuidOf(primary) },
    ackers: ackers.map((ordinal) => ({ ordinal, serverUuid: uuidOf(ordinal) })),
    ackCount,
  };
}

/** mysql-1 of three is to be the primary of epoch 2. */
export function establishingState(open: boolean, kind: Kind = "failover", more: Partial<State> = {}): State {
  return steadyState(3, {
    epoch: 2,
    phase: "Establishing",
    established: config(3),
    pending: { ...configOf(1, [0, 2]), open },
    op: operation(kind, kind === "switchover" ? 1 : null),
    ...more,
  });
}

export function term(epoch: number, ordinal: number): ServerFacts["terms"][number] {
  return { epoch, clusterUid: CLUSTER_UID, serverUuid: uuidOf(ordinal), opened: 1 };
}
