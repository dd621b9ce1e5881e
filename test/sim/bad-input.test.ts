/**
 * Whatever a person gets wrong: no server is changed in a single byte, there is one condition that says what to
 * do, and one Event. When it is put right, adoption goes on as if nothing had been.
 */
import { describe, expect, test } from "vitest";
import { decodeConditions } from "../../shared/annotations/conditions.ts";
import type { ProblemCode } from "../../shared/model/condition.ts";
import { endState, eventReasons, recordedState } from "./end-state.ts";
import { fingerprint } from "./mysql/volume.ts";
import { REF } from "./ref.ts";
import { createWorld, ROOT_PASSWORD, type World, type WorldOptions } from "./world.ts";

const THREE: WorldOptions["members"] = [{ tables: ["shop.orders"], rows: 20 }, {}, {}];
const WISH = { "ordinal.dev/engine": "mysql", "ordinal.dev/credentials": "mysql-root" };

function withState(state: object): WorldOptions {
  return { members: THREE, annotations: { ...WISH, "ordinal.dev/state": JSON.stringify(state) } };
}

function annotated(annotations: Readonly<Record<string, string>>): WorldOptions {
  return { members: THREE, annotations: { ...WISH, ...annotations } };
}

function takenService(world: World): void {
  world.sim.put("Service", { ...REF, name: "mysql-primary" }, { spec: { selector: { app: "another" } } });
}

interface Bad {
  readonly what: string;
  readonly code: ProblemCode;
  readonly world: WorldOptions;
  /** Done before the first pass. */
  readonly spoil?: (world: World) => void;
  /** Puts it right; absent where only a new StatefulSet would. */
  readonly correct?: (world: World) => void;
}

const COPIED = {
  v: 1,
  seq: 3,
  clusterUid: "another",
  epoch: 4,
  phase: "Steady",
  established: null,
  pending: null,
  op: null,
};

const remove = (key: string) => (world: World) => world.annotate({ [key]: null });

const BAD: readonly Bad[] = [
  {
    what: "an unknown annotation",
    code: "AnnotationUnknown",
    world: annotated({ "ordinal.dev/egnine": "mysql" }),
    correct: remove("ordinal.dev/egnine"),
  },
  {
    what: "a value that cannot be read",
    code: "AnnotationInvalid",
    world: annotated({ "ordinal.dev/max-lag": "'; DROP TABLE orders; --" }),
    correct: remove("ordinal.dev/max-lag"),
  },
  {
    what: "an engine that is none",
    code: "AnnotationInvalid",
    world: annotated({ "ordinal.dev/engine": "x" }),
  },
  { what: "no Secret", code: "CredentialsMissing", world: { members: THREE, secret: null } },
  {
    what: "a Secret without a password",
    code: "CredentialsMissing",
    world: { members: THREE, secret: { a: "b" } },
  },
  {
    what: "a Secret that may not be read",
    code: "CredentialsMissing",
    world: { members: THREE },
    spoil: (world) =>
      world.sim.setFaults(({ verb, kind, name }) =>
        verb === "read" && kind === "Secret" && name === WISH["ordinal.dev/credentials"]
          ? { before: { kind: "refused", message: "Forbidden", code: 403 } }
          : {},
      ),
    correct: (world) => world.sim.setFaults(() => ({})),
  },
  {
    what: "a wrong password",
    code: "CredentialsRejected",
    world: { members: THREE, secret: { password: "wrong" } },
    correct(world) {
      const data = { password: Buffer.from(ROOT_PASSWORD).toString("base64") };
      world.sim.put("Secret", { ...REF, name: "mysql-root" }, { data });
    },
  },
  {
    what: "an old version",
    code: "UnsupportedVersion",
    world: { members: THREE },
    spoil: (world) => void world.kubelet.server(1).process.globals.set("version", "8.0.41"),
  },
  {
    what: "another engine",
    code: "EngineMismatch",
    world: { members: THREE },
    spoil: (world) => void world.kubelet.server(2).process.globals.set("version", "11.8.2-MariaDB"),
  },
  {
    what: "no volume claim",
    code: "NoPersistentVolume",
    world: { members: THREE, set: { claimTemplates: [] } },
  },
  { what: "replicas: 0", code: "ReplicasZero", world: { members: [] } },
  {
    what: "250 KiB of somebody else's annotations",
    code: "AnnotationsTooLarge",
    world: annotated({ "example.com/large": "x".repeat(250 * 1024) }),
    correct: remove("example.com/large"),
  },
  {
    what: "a state that was copied",
    code: "StateForeign",
    world: withState(COPIED),
    correct: remove("ordinal.dev/state"),
  },
  { what: "a state of a newer version", code: "StateTooNew", world: withState({ ...COPIED, v: 2 }) },
  {
    what: "a state that was edited",
    code: "StateInvalid",
    world: withState({ ...COPIED, epoch: "four" }),
    correct: remove("ordinal.dev/state"),
  },
  {
    what: "a Service of the name",
    code: "NameTaken",
    world: { members: THREE },
    spoil: takenService,
    correct: (world) => world.sim.drop("Service", { ...REF, name: "mysql-primary" }),
  },
  {
    what: "a Secret of the name",
    code: "NameTaken",
    world: { members: THREE },
    spoil: (world) => void world.sim.put("Secret", { ...REF, name: "mysql-ordinal" }, { data: {} }),
    correct: (world) => world.sim.drop("Secret", { ...REF, name: "mysql-ordinal" }),
  },
  {
    what: "pause",
    code: "Paused",
    world: annotated({ "ordinal.dev/pause": "true" }),
    correct: remove("ordinal.dev/pause"),
  },
  {
    what: "data on two members",
    code: "ForeignData",
    world: { members: [{ tables: ["shop.orders"] }, { tables: ["crm.people"] }, {}] },
  },
];

function disks(world: World): readonly string[] {
  return world.kubelet.servers.map((server) =>
    JSON.stringify([fingerprint(server.volume), [...server.process.globals], server.process.locks.size]),
  );
}

describe("bad input", () => {
  test.each(BAD)("$what touches no server, and is told once", async ({ code, world: options, spoil }) => {
    const world = createWorld(options);
    spoil?.(world);
    const before = disks(world);
    await world.settle();
    await world.settle();
    await world.clock.pass(60_000);
    await world.settle();
    expect(disks(world)).toEqual(before);
    expect(await eventReasons(world)).toEqual([code]);
    const conditions = decodeConditions(world.annotation("ordinal.dev/conditions"));
    expect(conditions.map((condition) => condition.type)).toEqual(["Ready", code]);
    expect(world.passwords.made).toBe(0);
  });

  const corrigible = BAD.filter(({ correct }) => correct !== undefined);
  test.each(corrigible)(
    "$what, put right, leads to a cluster",
    async ({ world: options, spoil, correct }) => {
      const world = createWorld(options);
      spoil?.(world);
      await world.settle();
      correct?.(world);
      await world.settle();
      expect(recordedState(world)).toMatchObject({ phase: "Steady", established: { ackCount: 1 } });
      expect(await endState(world)).toMatchObject({ phase: "Healthy" });
    },
  );
});

test.each([
  ["a request without a store", { "ordinal.dev/backup-now": "true" }],
  [
    "a schedule that is none",
    { "ordinal.dev/backup-store": "backups", "ordinal.dev/backup-schedule": "daily" },
  ],
])("what is wrong with backups, %s, is told and keeps no cluster from its adoption", async (_, wrong) => {
  const world = createWorld(annotated(wrong));
  await world.settle();
  expect(recordedState(world)).toMatchObject({ phase: "Steady", epoch: 1 });
  const told = decodeConditions(world.annotation("ordinal.dev/conditions")).map(({ type }) => type);
  expect(told).toEqual(["Ready", "AnnotationInvalid"]);
  const jobs = await world.sim.kube.list("Job", REF);
  expect(jobs).toEqual({ ok: true, value: [] });
});
