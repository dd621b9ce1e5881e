/**
 * Random snapshots for property tests: small vocabularies, so that members often share history, disagree
 * with the record, or are the very server that is recorded; most real situations are met within a few hundred.
 */
import fc from "fast-check";
import { decodeState, encodeState } from "../../shared/annotations/state.ts";
import { PROBLEM_CODES, type ProblemCode } from "../../shared/model/condition.ts";
import type { Member, Observed, StateObservation } from "../../shared/model/observed.ts";
import type { Channel, ServerFacts, ServerObservation } from "../../shared/model/server.ts";
import type { Config, State } from "../../shared/model/state.ts";
import {
  CLUSTER_UID,
  channelTo,
  facts,
  initial,
  NOW_MS,
  newUuidOf,
  observed,
  read,
  uuidOf,
  written,
} from "./situation.ts";

const ORDINALS_MAX = 5;

const ordinal = fc.nat({ max: ORDINALS_MAX - 1 });
const often = fc.integer({ min: 0, max: 9 }).map((n) => n > 0);
const seldom = fc.integer({ min: 0, max: 9 }).map((n) => n === 0);

/** Mostly the server that was first there. */
function uuidFor(at: number): fc.Arbitrary<string> {
  return often.map((first) => (first ? uuidOf(at) : newUuidOf(at)));
}

function position(serverUuid: string): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 8, max: 110 }).map(written) },
    { weight: 2, arbitrary: fc.constant(initial(serverUuid)) },
    { weight: 1, arbitrary: fc.constant("") },
    { weight: 1, arbitrary: ordinal.map((at) => `${written(100)},\n${newUuidOf(at)}:1-3`) },
  );
}

const channel: fc.Arbitrary<Channel | null> = fc.oneof(
  fc.constant(null),
  fc
    .record({
      source: ordinal,
      receiver: fc.constantFrom("on", "connecting", "off"),
      applier: fc.constantFrom("on", "off"),
      autoPosition: often,
      receiverError: fc.option(fc.constant("denied (1045)"), { freq: 8 }),
      applierError: fc.option(fc.constant("1032"), { freq: 8 }),
    })
    .map(({ source, ...more }) => channelTo(source, more)),
);

const seeding: fc.Arbitrary<ServerFacts["seeding"]> = fc.record({
  kind: fc.constantFrom("none", "none", "none", "running", "done", "failed"),
  bytes: fc.nat(),
  bytesExpected: fc.nat(),
  error: fc.option(fc.constant("donor went away (3862)")),
});

function factsOn(at: number): fc.Arbitrary<ServerFacts> {
  return uuidFor(at).chain((serverUuid) =>
    fc
      .record({
        executed: position(serverUuid),
        received: position(serverUuid),
        purged: fc.constantFrom("", "", written(20)),
        readOnly: fc.boolean(),
        channel,
        seeding,
        applyingSinceMs: fc.option(fc.nat({ max: 60_000 }).map((ms) => NOW_MS - ms)),
        acks: fc.record({
          required: fc.boolean(),
          count: fc.nat({ max: 3 }),
          clients: fc.nat({ max: 4 }),
          waiters: fc.nat({ max: 2 }),
          waitingMs: fc.constantFrom(0, 0, 20_000),
          given: fc.boolean(),
          active: fc.boolean(),
        }),
        terms: fc.array(
          fc.record({
            epoch: fc.nat({ max: 6 }),
            clusterUid: fc.constantFrom(CLUSTER_UID, "another"),
            serverUuid: ordinal.map(uuidOf),
            opened: fc.integer({ min: 1, max: 3 }),
          }),
          { maxLength: 2 },
        ),
        survey: fc.option(fc.constantFrom({ schemas: [] }, { schemas: [] }, { schemas: ["shop"] })),
        flavor: fc.constantFrom(...Array<string>(15).fill("MySQL"), "MariaDB"),
        settings: fc.record({
          server_id: ordinal.map(String),
          prepared: fc.constantFrom("primary", "replica", "unseeded"),
        }),
      })
      .map((more) => facts(at, { serverUuid, ...more })),
  );
}

function serverOn(at: number): fc.Arbitrary<ServerObservation> {
  return fc.oneof(
    { weight: 12, arbitrary: factsOn(at).map(read) },
    { weight: 1, arbitrary: fc.constant({ kind: "absent" }) },
    { weight: 1, arbitrary: fc.constant({ kind: "unreachable", reason: "timeout", closed: false }) },
    { weight: 1, arbitrary: fc.constant({ kind: "denied", account: "ordinal", reason: "1045" }) },
  );
}

const config: fc.Arbitrary<Config> = fc.record({
  primary: ordinal.chain((at) => uuidFor(at).map((serverUuid) => ({ ordinal: at, serverUuid }))),
  ackers: fc.uniqueArray(
    ordinal.chain((at) => uuidFor(at).map((serverUuid) => ({ ordinal: at, serverUuid }))),
    { maxLength: 5, selector: (acker) => acker.serverUuid },
  ),
  ackCount: fc.nat({ max: 3 }),
});

const recordedState: fc.Arbitrary<State> = fc
  .record({
    seq: fc.integer({ min: 1, max: 99 }),
    epoch: fc.nat({ max: 6 }),
    phase: fc.constantFrom("Adopting", "Revoking", "Establishing", "Steady", "Releasing", "Released"),
    established: fc.option(config),
    pending: fc.option(fc.tuple(config, fc.boolean()).map(([of, open]) => ({ ...of, open }))),
    op: fc.option(
      fc.record({
        id: fc.constant("op-1"),
        kind: fc.constantFrom("adopt", "reopen", "failover", "switchover", "reconstruct", "release"),
        step: fc.constant("Establish"),
        startedAt: fc.constantFrom(NOW_MS, NOW_MS - 60_000).map((at) => new Date(at).toISOString()),
        target: fc.option(ordinal),
      }),
    ),
    primaryStartedAtMs: fc.option(fc.constant(NOW_MS - 3_600_000)),
    failovers: fc
      .array(fc.constantFrom(NOW_MS - 60_000, NOW_MS - 7_200_000), { maxLength: 4 })
      .map((list) => list.map((at) => new Date(at).toISOString())),
    unproven: fc.array(ordinal.map(uuidOf), { maxLength: 2 }),
    scaledTo: fc.option(fc.integer({ min: 1, max: 5 })),
  })
  .map((more): State => ({ v: 1, clusterUid: CLUSTER_UID, ...more }));

const SOME_CONFIG: Config = { primary: { ordinal: 0, serverUuid: uuidOf(0) }, ackers: [], ackCount: 0 };

/** As the brain itself writes it: what is being built, and what stood before it, belong to the phase. */
function coherent(state: State): State {
  const established = state.established ?? SOME_CONFIG;
  const pending = state.pending ?? { ...SOME_CONFIG, open: false };
  switch (state.phase) {
    case "Adopting":
      return { ...state, established: null, pending: { ...pending, open: false } };
    case "Revoking":
      return { ...state, established, pending: pending.open ? pending : null };
    case "Establishing":
      return { ...state, pending };
    case "Steady":
      return { ...state, established, pending: null, op: null };
    case "Releasing":
      return state.established === null && state.pending === null ? { ...state, established } : state;
    case "Released":
      return { ...state, established: null, pending: null, op: null };
  }
}

/** Through the decoder, as the observer does it: another cluster's state is never a valid one. */
const observationOf = (recorded: fc.Arbitrary<State>): fc.Arbitrary<StateObservation> =>
  fc.oneof(
    { weight: 2, arbitrary: fc.constant({ kind: "none" }) },
    {
      weight: 12,
      arbitrary: fc
        .tuple(recorded, seldom)
        .map(([state, copied]) => encodeState(copied ? { ...state, clusterUid: "another" } : state))
        .map((text) => decodeState(text, CLUSTER_UID)),
    },
    { weight: 1, arbitrary: fc.constant({ kind: "newer", version: 2 }) },
    { weight: 1, arbitrary: fc.constant({ kind: "invalid", reason: "not JSON" }) },
  );

const problem = fc.record({
  code: fc.constantFrom("AnnotationInvalid", "AnnotationUnknown"),
  message: fc.constant("ordinal.dev/engin is no annotation of Ordinal: did you mean ordinal.dev/engine?"),
  blocks: fc.constant(true),
});

const codes = Object.keys(PROBLEM_CODES).filter((code): code is ProblemCode => code in PROBLEM_CODES);

const conditions = fc
  .uniqueArray(
    fc.record({
      type: fc.constantFrom("Ready", ...codes),
      status: fc.constantFrom("True", "False", "Unknown"),
      reason: fc.constantFrom("Healthy", ...codes),
      message: fc.constantFrom("mysql-1 does not answer: timeout.", "something else"),
      lastTransitionAt: fc.constant(new Date(NOW_MS - 60_000).toISOString()),
      observedGeneration: fc.constant(1),
    }),
    { maxLength: 4, selector: (condition) => condition.type },
  )
  .map((list) =>
    list.map((one) => (one.type === "Ready" ? one : { ...one, status: "True" as const, reason: one.type })),
  );

function membersOf(replicas: number): fc.Arbitrary<readonly Member[]> {
  const [...bare] = observed(replicas).members;
  const each = bare.map((member) =>
    fc.tuple(serverOn(member.ordinal), seldom).map(([server, podless]) => {
      if (podless) return { ...member, pod: null, server: { kind: "absent" as const } };
      return { ...member, server };
    }),
  );
  return fc.tuple(...each);
}

const situationWith = (state: fc.Arbitrary<StateObservation>): fc.Arbitrary<Observed> =>
  fc.integer({ min: 0, max: ORDINALS_MAX }).chain((replicas) => {
    const bare = observed(replicas);
    const service = fc.constantFrom(
      { kind: "missing" } as const,
      { kind: "missing" } as const,
      {
        kind: "taken",
      } as const,
    );
    return fc
      .record({
        members: membersOf(replicas),
        state,
        conditions,
        problems: fc.array(problem, { maxLength: 1 }),
        usable: often,
        managed: often,
        paused: seldom,
        wanted: fc.option(fc.integer({ min: 1, max: replicas + 2 }), { freq: 2 }),
        replicasBy: fc.constantFrom(null, "kubectl", "kube-controller-manager"),
        removing: fc.boolean(),
        storage: often,
        full: often,
        refused: seldom,
        annotationBytes: fc.constantFrom(500, 500, 500, 250_000),
        accounts: fc.constantFrom("all", "all", "none", "taken"),
        credentials: fc.constantFrom("found", "found", "found", "missing"),
        primary: service,
        replicasService: service,
      })
      .map((random): Observed => {
        const { spec } = bare.wish;
        const keys = ["control", ...random.members.map((member) => `replication-${member.ordinal}`)];
        const kinds = {
          all: { kind: "found", uid: "uid-accounts", keys },
          none: { kind: "missing" },
          taken: { kind: "taken" },
        } as const;
        return {
          ...bare,
          set: {
            ...bare.set,
            claimTemplates: random.storage ? ["data"] : [],
            replicasBy: random.replicasBy,
          },
          members: random.members,
          state: random.state,
          conditions: random.conditions,
          wish: {
            managed: random.managed,
            spec:
              random.managed && random.usable && spec !== null
                ? { ...spec, paused: random.paused, replicas: random.wanted }
                : null,
            problems: random.usable ? random.problems.slice(0, 1) : [...random.problems, UNUSABLE],
            servicesOnRelease: random.removing ? "remove" : "keep",
          },
          annotationBytes: random.annotationBytes,
          accounts: kinds[random.accounts],
          credentials:
            random.credentials === "found"
              ? { kind: "found", uid: "uid-root", keys: [] }
              : { kind: "missing" },
          services: { primary: random.primary, replicas: random.replicasService },
          refusal: random.refused ? "opening member 0: denied (1227)" : null,
          full: random.full,
        };
      });
  });

const UNUSABLE = { code: "AnnotationInvalid", message: "ordinal.dev/engine is x", blocks: true } as const;

export const anySituation: fc.Arbitrary<Observed> = situationWith(observationOf(recordedState.map(coherent)));

/** Also with records that are well formed and that the brain would never write. */
export const oddSituation: fc.Arbitrary<Observed> = situationWith(observationOf(recordedState));
