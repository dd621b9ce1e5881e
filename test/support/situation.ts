/**
 * Builds snapshots for tests of the brain: a cluster that is settled in every detail, and small changes to it
 * that each say one thing. A test then names only what it is about: `observed(3, member(1, silent()))`.
 */
import { ANNOTATION, LABEL } from "../../shared/annotations/keys.ts";
import { gtidSets } from "../../shared/engines/mysql/gtid.ts";
import type { ProblemCode } from "../../shared/model/condition.ts";
import type { EngineRules } from "../../shared/model/engine.ts";
import type { PersistentVolumeClaim, Pod, StatefulSet } from "../../shared/model/kube.ts";
import type { Member, Observed, Wish } from "../../shared/model/observed.ts";
import type { Channel, ServerFacts, ServerObservation } from "../../shared/model/server.ts";
import { SPEC_DEFAULTS, type Spec } from "../../shared/model/spec.ts";
import type { Config, State } from "../../shared/model/state.ts";

export const NOW_MS: number = Date.parse("2026-11-23T10:00:00.000Z");
export const CLUSTER_UID = "uid-set";

/** The server that was first on the volume of this ordinal. */
export function uuidOf(ordinal: number): string {
  return `${String(ordinal).padStart(8, "0")}-0000-0000-0000-000000000000`;
}

/** The server on the volume that replaced it. */
export function newUuidOf(ordinal: number): string {
  return `${String(ordinal).padStart(8, "0")}-1111-0000-0000-000000000000`;
}

/** What an image writes on an empty volume. */
export function initial(uuid: string): string {
  return `${uuid}:1-8`;
}

/** The primary's transactions up to this number; its image's own come first. */
export function written(last: number): string {
  return `${uuidOf(0)}:1-${last}`;
}

/**
 * Rules without any engine's detail: a preparation is missing while `settings.prepared` names another role,
 * and a fresh volume has at most ten transactions, all its own.
 */
export const RULES: EngineRules = {
  name: "mysql",
  title: "MySQL",
  port: 3306,
  positions: gtidSets,
  replicationAccount: (ordinal) => `ordinal_repl_${ordinal}`,
  unsupported({ flavor, version, settings }) {
    if (flavor !== "MySQL") return { code: "EngineMismatch", message: `this is ${flavor}, not MySQL.` };
    if (version < "8.4") return { code: "UnsupportedVersion", message: `${version} is too old.` };
    return settings["odd"] === undefined
      ? null
      : { code: "UnsupportedSettings", message: `odd is ${settings["odd"]}; take it out of my.cnf.` };
  },
  initialOnly: ({ executed, serverUuid, survey }) =>
    gtidSets.without(executed, serverUuid) === "" &&
    gtidSets.count(executed) <= 10n &&
    (survey?.schemas.length ?? 0) === 0,
  refusesImage: (version, image) => (image === "mysql:1" ? `mysql:1 is older than ${version}` : null),
  preparations({ settings }, { role }) {
    if (settings["prepared"] === role) return [];
    return [{ kind: "settings", text: `settings of a ${role}`, parameters: { role } }];
  },
};

export function facts(ordinal: number, more: Partial<ServerFacts> = {}): ServerFacts {
  const serverUuid = more.serverUuid ?? uuidOf(ordinal);
  const executed = more.executed ?? initial(serverUuid);
  return {
    serverUuid,
    version: "9.7.4",
    flavor: "MySQL",
    startedAtMs: NOW_MS - 3_600_000,
    nowMs: NOW_MS,
    readOnly: false,
    offline: false,
    executed,
    received: executed,
    purged: "",
    channel: null,
    applyingSinceMs: null,
    followers: 0,
    ...{ logsKeptMs: 30 * 86_400_000, deletesLogs: true, storedBytes: null },
    fullDiskMs: 0,
    acks: { required: false, count: 1, clients: 0, waiters: 0, waitingMs: 0, given: false, active: false },
    seeding: { kind: "none", bytes: 0, bytesExpected: 0, error: null },
    terms: [],
    archived: [],
    survey: { schemas: [] },
    settings: { server_id: String(ordinal + 1) },
    ...more,
  };
}

/** As the first replica has it. */
export function channelTo(source: number, more: Partial<Channel> = {}): Channel {
  return {
    sourceHost: hostOf(source),
    sourceUuid: uuidOf(source),
    receiver: "on",
    applier: "on",
    account: RULES.replicationAccount(1),
    autoPosition: true,
    tls: true,
    silentMs: 0,
    sourceLeft: null,
    lockedOut: false,
    starved: false,
    receiverError: null,
    applierError: null,
    ...more,
  };
}

function hostOf(ordinal: number): string {
  return `mysql-${ordinal}.mysql.shop.svc`;
}

/** The primary of `replicas` members, armed and in epoch 1. */
export function primaryFacts(replicas: number, more: Partial<ServerFacts> = {}): ServerFacts {
  const count = Math.floor(replicas / 2);
  return facts(0, {
    executed: written(100),
    survey: null,
    acks: {
      required: count > 0,
      count,
      clients: replicas - 1,
      waiters: 0,
      waitingMs: 0,
      given: false,
      active: false,
    },
    followers: replicas - 1,
    terms: [{ epoch: 1, clusterUid: CLUSTER_UID, serverUuid: uuidOf(0), opened: 1 }],
    settings: { server_id: "1", prepared: "primary" },
    ...more,
  });
}

export function replicaFacts(ordinal: number, more: Partial<ServerFacts> = {}): ServerFacts {
  return facts(ordinal, {
    readOnly: true,
    executed: written(100),
    survey: null,
    channel: channelTo(0, { account: RULES.replicationAccount(ordinal) }),
    acks: { required: false, count: 1, clients: 0, waiters: 0, waitingMs: 0, given: true, active: true },
    terms: [{ epoch: 1, clusterUid: CLUSTER_UID, serverUuid: uuidOf(0), opened: 1 }],
    settings: { server_id: String(ordinal + 1), prepared: "replica" },
    ...more,
  });
}

export function config(replicas: number, more: Partial<Config> = {}): Config {
  const ackers = Array.from({ length: replicas - 1 }, (_, index) => ({
    ordinal: index + 1,
    serverUuid: uuidOf(index + 1),
  }));
  return {
    primary: { ordinal: 0, serverUuid: uuidOf(0) },
    ackers,
    ackCount: Math.floor(replicas / 2),
    ...more,
  };
}

export function steadyState(replicas: number, more: Partial<State> = {}): State {
  return {
    v: 1,
    seq: 7,
    clusterUid: CLUSTER_UID,
    epoch: 1,
    phase: "Steady",
    established: config(replicas),
    pending: null,
    op: null,
    primaryStartedAtMs: 1_700_000_000_000,
    failovers: [],
    unproven: [],
    scaledTo: null,
    ...more,
  };
}

/** The intent of an adoption, with mysql-0 chosen. */
export function adoptingState(replicas: number, more: Partial<State> = {}): State {
  return steadyState(replicas, {
    phase: "Adopting",
    established: null,
    pending: { ...config(replicas), ackers: [], open: false },
    op: {
      id: "adopt-1",
      kind: "adopt",
      step: "Prepare",
      startedAt: new Date(NOW_MS).toISOString(),
      target: null,
    },
    ...more,
  });
}

function statefulSet(replicas: number): StatefulSet {
  return {
    namespace: "shop",
    name: "mysql",
    uid: CLUSTER_UID,
    resourceVersion: "10",
    labels: {},
    annotations: { [ANNOTATION.engine]: "mysql", [ANNOTATION.credentials]: "mysql-root" },
    ownerUid: null,
    deleting: false,
    generation: 1,
    replicas,
    replicasBy: null,
    matchLabels: { app: "mysql" },
    serviceName: "mysql",
    claimTemplates: ["data"],
    keepsClaims: true,
    hasExclusiveVolumes: false,
    containers: [
      {
        ...{ name: "mysql", image: "mysql:9.7", ports: [3306] },
        mounts: [{ name: "data", path: "/var/lib/mysql", subPath: null, varies: false }],
      },
    ],
    pods: { runAsUser: null, fsGroup: null, storage: null, placement: {} },
    rollout: { strategy: null, partition: 0, revisions: null },
  };
}

const object = {
  namespace: "shop",
  resourceVersion: "5",
  annotations: {},
  ownerUid: null,
  deleting: false,
} as const;

function pod(ordinal: number): Pod {
  return {
    ...object,
    name: `mysql-${ordinal}`,
    uid: `uid-pod-${ordinal}`,
    labels: { app: "mysql" },
    ownerUid: CLUSTER_UID,
    ip: `10.0.0.${ordinal + 1}`,
    phase: "Running",
    ready: true,
    containers: [
      { name: "mysql", running: true, restartCount: 0, reason: null, exitCode: null, ended: null },
    ],
  };
}

function claim(ordinal: number): PersistentVolumeClaim {
  const name = `data-mysql-${ordinal}`;
  return {
    ...object,
    name,
    uid: `uid-claim-${ordinal}`,
    labels: { app: "mysql" },
    phase: "Bound",
    capacityBytes: 10 * 2 ** 30,
  };
}

export function read(of: ServerFacts): ServerObservation {
  return { kind: "read", facts: of, authority: "PEM" };
}

const SPEC: Spec = { engine: "mysql", credentials: "mysql-root", ...SPEC_DEFAULTS };

/** Freshly annotated: `replicas` empty members, nothing recorded. */
function untouched(replicas: number): Observed {
  const set = statefulSet(replicas);
  return {
    ref: { namespace: "shop", name: "mysql" },
    set,
    wish: { managed: true, spec: SPEC, problems: [], servicesOnRelease: "keep" },
    state: { kind: "none" },
    conditions: [],
    history: [],
    annotationBytes: 500,
    credentials: { kind: "found", uid: "uid-root", keys: ["password"] },
    accounts: { kind: "missing" },
    services: { primary: { kind: "missing" }, replicas: { kind: "missing" } },
    backups: { kind: "none" },
    restore: { kind: "none" },
    archive: null,
    jobs: { backup: { kind: "absent" }, proof: { kind: "absent" }, restore: [] },
    members: Array.from({ length: replicas }, (_, ordinal) => ({
      ordinal,
      podName: `mysql-${ordinal}`,
      host: hostOf(ordinal),
      pod: pod(ordinal),
      claim: claim(ordinal),
      server: read(facts(ordinal)),
    })),
    surplus: [],
    refusal: null,
    full: true,
  };
}

export type Change = (before: Observed) => Observed;

export function observed(replicas: number, ...changes: readonly Change[]): Observed {
  return changes.reduce((before, change) => change(before), untouched(replicas));
}

export function but(more: Partial<Observed>): Change {
  return (before) => ({ ...before, ...more });
}

export function set(more: Partial<StatefulSet>): Change {
  return (before) => ({ ...before, set: { ...before.set, ...more } });
}

export function wish(more: Partial<Wish>): Change {
  return (before) => ({ ...before, wish: { ...before.wish, ...more } });
}

export function spec(more: Partial<Spec>): Change {
  return wish({ spec: { ...SPEC, ...more } });
}

export function state(recorded: State): Change {
  return but({ state: { kind: "valid", state: recorded } });
}

export function member(ordinal: number, change: (before: Member) => Member): Change {
  return (before) => ({
    ...before,
    members: before.members.map((one) => (one.ordinal === ordinal ? change(one) : one)),
  });
}

export function server(ordinal: number, of: ServerFacts): Change {
  return member(ordinal, (before) => ({ ...before, server: read(of) }));
}

export function saying(ordinal: number, observation: ServerObservation): Change {
  return member(ordinal, (before) => ({ ...before, server: observation }));
}

export function podless(ordinal: number): Change {
  return member(ordinal, (before) => ({ ...before, pod: null, server: { kind: "absent" } }));
}

export function silent(ordinal: number, reason = "timeout"): Change {
  return saying(ordinal, { kind: "unreachable", reason, closed: false });
}

/** A problem that has been known for this long, milliseconds. */
export function known(type: ProblemCode | "Ready", forMs: number): Change {
  return (before) => {
    const others = before.conditions.filter((condition) => condition.type !== type);
    const lastTransitionAt = new Date(NOW_MS - forMs).toISOString();
    const condition = {
      type,
      status: "True",
      reason: type === "Ready" ? "Healthy" : type,
      message: "known",
      observedGeneration: 1,
    } as const;
    return { ...before, conditions: [...others, { ...condition, lastTransitionAt }] };
  };
}

/** As it is on its pod; nothing is changed where there is none. */
export function onPod(ordinal: number, change: (before: Pod) => Pod): Change {
  return member(ordinal, (before) => ({ ...before, pod: before.pod === null ? null : change(before.pod) }));
}

export const accounts: Change = (before) => {
  const keys = ["control", ...before.members.map(({ ordinal }) => `replication-${ordinal}`)];
  return { ...before, accounts: { kind: "found", uid: "uid-accounts", keys } };
};

/** An adoption under way: accounts are there, the primary has data and is prepared, the others are empty. */
export function adopting(replicas: number, ...changes: readonly Change[]): Observed {
  const primary = facts(0, { executed: written(100), settings: { server_id: "1", prepared: "primary" } });
  return observed(replicas, accounts, state(adoptingState(replicas)), server(0, primary), ...changes);
}

/** All members in place. Labels, Services and conditions are as they stand once `settled` has run. */
export function placed(replicas: number, ...changes: readonly Change[]): Observed {
  const servers = Array.from({ length: replicas }, (_, ordinal) =>
    server(ordinal, ordinal === 0 ? primaryFacts(replicas) : replicaFacts(ordinal)),
  );
  const labelled = set({ labels: { [LABEL.managed]: "true" } });
  return observed(replicas, accounts, state(steadyState(replicas)), labelled, ...servers, ...changes);
}
