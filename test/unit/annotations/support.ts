/** Values that are only interesting for one field at a time. */

import type { Condition, Problem } from "../../../shared/model/condition.ts";
import type { StatefulSet } from "../../../shared/model/kube.ts";
import type { HistoryEntry, State } from "../../../shared/model/state.ts";

export function setWith(annotations: Readonly<Record<string, string>>): StatefulSet {
  return {
    namespace: "shop",
    name: "mysql",
    uid: "uid-1",
    resourceVersion: "1",
    labels: {},
    annotations,
    ownerUid: null,
    deleting: false,
    generation: 1,
    replicas: 3,
    replicasBy: null,
    matchLabels: { app: "mysql" },
    serviceName: "mysql",
    claimTemplates: ["data"],
    keepsClaims: true,
    hasExclusiveVolumes: false,
    pods: { runAsUser: null, fsGroup: null, storage: null, placement: {} },
    containers: [],
  };
}

export const state: State = {
  v: 1,
  seq: 4,
  clusterUid: "uid-1",
  epoch: 7,
  phase: "Steady",
  established: {
    primary: { ordinal: 1, serverUuid: "uuid-1" },
    ackers: [{ ordinal: 0, serverUuid: "uuid-0" }],
    ackCount: 1,
  },
  pending: null,
  op: null,
  primaryStartedAtMs: 1_700_000_000_000,
  failovers: [],
  unproven: [],
  scaledTo: null,
};

export function condition(more: Partial<Condition> = {}): Condition {
  return {
    type: "Ready",
    status: "True",
    reason: "Healthy",
    message: "3 of 3 members are in place.",
    lastTransitionAt: "2026-11-23T10:00:00.000Z",
    observedGeneration: 1,
    ...more,
  };
}

export function entry(more: Partial<HistoryEntry> = {}): HistoryEntry {
  return {
    at: "2026-11-23T10:00:00.000Z",
    epoch: 7,
    reason: "MemberJoined",
    why: "mysql-2 follows mysql-1.",
    considered: [],
    ...more,
  };
}

export function problem(code: Problem["code"], message: string, ordinal?: number): Problem {
  return { code, message, blocks: false, ...(ordinal === undefined ? {} : { ordinal }) };
}
