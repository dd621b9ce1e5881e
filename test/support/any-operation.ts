/**
 * Random snapshots of clusters in the middle of something: records as the brain itself writes them, and members
 * that are mostly what those records say. `anySituation` meets every oddity, but hardly ever a failover.
 */
import fc from "fast-check";
import { ANNOTATION } from "../../shared/annotations/keys.ts";
import type { Condition } from "../../shared/model/condition.ts";
import type { Pod } from "../../shared/model/kube.ts";
import type { Member, Observed } from "../../shared/model/observed.ts";
import type { ServerFacts, ServerObservation } from "../../shared/model/server.ts";
import { SPEC_DEFAULTS, type Spec } from "../../shared/model/spec.ts";
import type { Config, State } from "../../shared/model/state.ts";
import {
  CLUSTER_UID,
  channelTo,
  facts,
  NOW_MS,
  newUuidOf,
  placed,
  RULES,
  read,
  uuidOf,
  written,
} from "./situation.ts";

const STARTED_MS = NOW_MS - 3_600_000;

const seldom = fc.integer({ min: 0, max: 9 }).map((n) => n === 0);
const mostly = fc.integer({ min: 0, max: 9 }).map((n) => n > 2);

function instant(beforeMs: number): string {
  return new Date(NOW_MS - beforeMs).toISOString();
}

function configOf(replicas: number, primary: number): fc.Arbitrary<Config> {
  const others = Array.from({ length: replicas }, (_, ordinal) => ordinal).filter(
    (ordinal) => ordinal !== primary,
  );
  return fc
    .record({
      ackers: fc.oneof(fc.constant(others), fc.subarray(others)),
      fewer: seldom,
    })
    .map(({ ackers, fewer }) => ({
      primary: { ordinal: primary, serverUuid: uuidOf(primary) },
      ackers: ackers.map((ordinal) => ({ ordinal, serverUuid: uuidOf(ordinal) })),
      ackCount: Math.max(1, Math.min(Math.floor(replicas / 2), ackers.length) - (fewer ? 1 : 0)),
    }));
}

interface Course {
  readonly phase: State["phase"];
  readonly kind: NonNullable<State["op"]>["kind"] | null;
  readonly pending: "none" | "closed" | "open";
}

/** The records that the brain writes of a cluster that was established once. */
const COURSES: readonly Course[] = [
  { phase: "Steady", kind: null, pending: "none" },
  { phase: "Revoking", kind: "failover", pending: "none" },
  { phase: "Revoking", kind: "failover", pending: "open" },
  { phase: "Revoking", kind: "reconstruct", pending: "none" },
  { phase: "Revoking", kind: "switchover", pending: "none" },
  { phase: "Establishing", kind: "failover", pending: "closed" },
  { phase: "Establishing", kind: "failover", pending: "open" },
  { phase: "Establishing", kind: "switchover", pending: "closed" },
  { phase: "Establishing", kind: "switchover", pending: "open" },
  { phase: "Establishing", kind: "reopen", pending: "closed" },
  { phase: "Establishing", kind: "reopen", pending: "open" },
];

function stateOf(replicas: number): fc.Arbitrary<State> {
  const ordinal = fc.nat({ max: replicas - 1 });
  return fc
    .record({
      course: fc.constantFrom(...COURSES),
      next: ordinal,
      target: ordinal,
      established: configOf(replicas, 0),
      startedBeforeMs: fc.constantFrom(1_000, 60_000),
      failovers: fc.subarray([instant(7_200_000), instant(3_600_000), instant(60_000)]),
      unproven: fc.subarray([uuidOf(0), uuidOf(1)]),
    })
    .chain(({ course, next, ...rest }) =>
      configOf(replicas, course.kind === "reopen" ? 0 : next).map((pending): State => {
        const { kind } = course;
        const { established, target, startedBeforeMs, failovers, unproven } = rest;
        return {
          ...{ v: 1, seq: 7, clusterUid: CLUSTER_UID, epoch: 2, phase: course.phase, failovers, unproven },
          scaledTo: null,
          established,
          pending: course.pending === "none" ? null : { ...pending, open: course.pending === "open" },
          op:
            kind === null
              ? null
              : {
                  id: `${kind}-2`,
                  kind,
                  step: "Any",
                  startedAt: instant(startedBeforeMs),
                  target: kind === "switchover" ? target : null,
                },
          primaryStartedAtMs: STARTED_MS,
        };
      }),
    );
}

function tailOf(at: number): ServerFacts["archived"][number] {
  return { epoch: 1, serverUuid: uuidOf(at), gtids: `${uuidOf(at)}:1-3` };
}

/** A member of this cluster: what it has, whom it follows, whether it takes writes. */
function ourFacts(at: number, sources: readonly number[]): fc.Arbitrary<ServerFacts> {
  return fc
    .record({
      source: fc.constantFrom(...sources),
      attached: mostly,
      receiver: fc.constantFrom("on", "on", "off", "connecting"),
      silentMs: fc.constantFrom(0, 0, 1_999, 2_000),
      sourceLeft: fc.constantFrom(null, "cut", "orderly"),
      starved: seldom,
      applierError: seldom,
      executed: fc.constantFrom(98, 99, 100, 100, 100),
      further: fc.constantFrom(0, 0, 0, 1),
      own: fc.constantFrom(true, false, false, false),
      writable: seldom,
      waiters: seldom,
      acking: mostly,
      required: mostly,
      clients: fc.nat({ max: 3 }),
      terms: fc.subarray([1, 2], { minLength: 1 }),
      archived: fc.boolean(),
      blank: seldom,
    })
    .map((random): ServerFacts => {
      const { source, executed } = random;
      // The first primary has nothing that is not the cluster's.
      const own = random.own && at > 0 ? `,\n${uuidOf(at)}:1-3` : "";
      if (random.blank) return facts(at, { serverUuid: newUuidOf(at) });
      const channel = channelTo(source, {
        account: RULES.replicationAccount(at),
        receiver: random.receiver,
        silentMs: random.receiver === "on" ? random.silentMs : 0,
        sourceLeft: random.receiver === "on" ? null : random.sourceLeft,
        starved: random.receiver === "off" && random.starved,
        applierError: random.applierError ? "1032" : null,
      });
      return facts(at, {
        readOnly: !random.writable,
        executed: `${written(executed)}${own}`,
        received: `${written(executed + random.further)}${own}`,
        survey: null,
        channel: random.attached && source !== at ? channel : null,
        acks: {
          required: random.required,
          count: 1,
          clients: random.clients,
          waiters: random.waiters ? 1 : 0,
          waitingMs: random.waiters ? 11_000 : 0,
          given: random.acking,
          active: random.acking,
        },
        terms: random.terms.map((epoch) => ({
          epoch,
          clusterUid: CLUSTER_UID,
          serverUuid: uuidOf(epoch - 1),
          opened: 1,
        })),
        archived: random.archived ? [1, 2, 3, 4].map((other) => tailOf(other)) : [],
        settings: { server_id: String(at + 1), prepared: source === at ? "primary" : "replica" },
      });
    });
}

function serverAt(at: number, sources: readonly number[]): fc.Arbitrary<ServerObservation> {
  return fc.oneof(
    { weight: 8, arbitrary: ourFacts(at, sources).map(read) },
    { weight: 1, arbitrary: fc.constant({ kind: "absent" }) },
    {
      weight: 2,
      arbitrary: fc.boolean().map((closed) => ({ kind: "unreachable", reason: "timeout", closed }) as const),
    },
    { weight: 1, arbitrary: fc.constant({ kind: "denied", account: "ordinal", reason: "1045" }) },
  );
}

const podChange: fc.Arbitrary<((pod: Pod) => Pod) | null> = fc.oneof(
  { weight: 6, arbitrary: fc.constant((pod: Pod) => pod) },
  { weight: 1, arbitrary: fc.constant(null) },
  { weight: 1, arbitrary: fc.constant((pod: Pod) => ({ ...pod, deleting: true })) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(0, 137).map((exitCode) => (pod: Pod) => {
      const ended = { exitCode, startedAtMs: STARTED_MS, finishedAtMs: NOW_MS - 2_000 };
      return { ...pod, containers: pod.containers.map((container) => ({ ...container, ended })) };
    }),
  },
);

function memberOf(bare: Member, sources: readonly number[]): fc.Arbitrary<Member> {
  return fc
    .record({
      server: serverAt(bare.ordinal, sources),
      podChange,
      epochSeen: fc.constantFrom("1", "1", "2", "none"),
    })
    .map((random): Member => {
      const { claim, pod } = bare;
      const changed = random.podChange === null || pod === null ? null : random.podChange(pod);
      const annotations = {
        [ANNOTATION.epochSeen]: random.epochSeen,
        [ANNOTATION.serverUuid]: uuidOf(bare.ordinal),
      };
      return {
        ...bare,
        pod: changed,
        claim: claim === null ? null : { ...claim, annotations },
        server: changed === null ? { kind: "absent" } : random.server,
      };
    });
}

const conditions: fc.Arbitrary<readonly Condition[]> = fc
  .uniqueArray(
    fc.record({
      type: fc.constantFrom("Ready", "PrimaryUnreachable", "PrimaryCutOff", "MemberUnreachable", "StateLost"),
      beforeMs: fc.constantFrom(0, 1_000, 5_000, 61_000, -60_000),
    }),
    { selector: ({ type }) => type },
  )
  .map((list) =>
    list.map(({ type, beforeMs }) => ({
      ...{ type, status: "True" as const, reason: type, message: "any" },
      lastTransitionAt: instant(beforeMs),
      observedGeneration: 1,
    })),
  );

function specOf(replicas: number): fc.Arbitrary<Spec> {
  const epoch = fc.constantFrom(null, null, 2, 3);
  return fc
    .record({
      failover: fc.constantFrom("auto", "auto", "manual"),
      failoverCooldownMs: fc.constantFrom(0, SPEC_DEFAULTS.failoverCooldownMs),
      onRestart: fc.constantFrom("wait", "resume"),
      replicas: fc.option(fc.integer({ min: 1, max: replicas + 2 }), { freq: 2 }),
      switchoverTo: fc.option(fc.nat({ max: replicas }).map((at) => `mysql-${at}`)),
      approvedEpoch: epoch,
      lossAcceptedEpoch: epoch,
    })
    .map((more) => ({ engine: "mysql", credentials: "mysql-root", ...SPEC_DEFAULTS, ...more }));
}

export const anyOperation: fc.Arbitrary<Observed> = fc.integer({ min: 2, max: 5 }).chain((replicas) => {
  const bare = placed(replicas);
  return stateOf(replicas).chain((state) => {
    const primaries = [state.established, state.pending].flatMap((config) => config?.primary.ordinal ?? []);
    return fc
      .record({
        members: fc.tuple(...bare.members.map((member) => memberOf(member, primaries))),
        conditions,
        spec: specOf(replicas),
        managed: fc.integer({ min: 0, max: 9 }).map((n) => n > 0),
        lost: seldom,
      })
      .map(
        (random): Observed => ({
          ...bare,
          members: random.members,
          conditions: random.conditions,
          wish: { ...bare.wish, managed: random.managed, spec: random.managed ? random.spec : null },
          state: random.lost ? { kind: "none" } : { kind: "valid", state },
        }),
      );
  });
});
