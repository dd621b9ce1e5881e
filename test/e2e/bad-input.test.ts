/**
 * Bad input changes nothing in a database, and is told by one condition and one Event that say what to do.
 * Each case is put right afterwards, and the cluster then needs no further help.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ADOPT, allReady, conditionsOf, eventsOf, openScene, type Scene } from "../support/e2e.ts";
import { noClusterReason, testCluster } from "../support/test-cluster.ts";

const none = testCluster() === null;
const skipped = none ? ` (skipped: ${noClusterReason})` : "";

/** Whatever Ordinal could have changed on a server. */
async function digest(scene: Scene, ordinals: readonly number[]): Promise<readonly (readonly string[])[]> {
  const asked = [
    "SELECT @@global.gtid_executed, @@global.read_only, @@global.super_read_only, @@global.server_id",
    "SELECT * FROM performance_schema.persisted_variables ORDER BY 1",
    "SELECT user, host, plugin, account_locked FROM mysql.user ORDER BY 1, 2",
    "SELECT plugin_name FROM information_schema.plugins ORDER BY 1",
    "SHOW DATABASES",
    "SHOW REPLICA STATUS",
  ];
  return Promise.all(ordinals.flatMap((ordinal) => asked.map((sql) => scene.ask(ordinal, sql))));
}

interface Case {
  readonly name: string;
  readonly code: string;
  readonly says: RegExp;
  readonly spoil: (scene: Scene) => Promise<unknown>;
  readonly mend: (scene: Scene) => Promise<unknown>;
}

/** Half of what fills the object, and as much as one argument of a program may be long. */
const BULK = "x".repeat(120_000);
const COPIED = JSON.stringify({
  ...{
    v: 1,
    seq: 3,
    clusterUid: "somebody-else",
    epoch: 4,
    phase: "Steady",
    pending: null,
    op: null,
  },
  established: { primary: { ordinal: 2, serverUuid: "u" }, ackers: [], ackCount: 1 },
});

const annotation = (name: string, code: string, value: string, says: RegExp, good: string): Case => ({
  name: `${value.slice(0, 60)}`,
  code,
  says,
  spoil: (scene) => scene.annotate(value),
  mend: (scene) => scene.annotate(good === "-" ? `${name}-` : good),
});

const CASES: readonly Case[] = [
  annotation("ordinal.dev/max-lga", "AnnotationUnknown", "ordinal.dev/max-lga=10s", /max-lag/, "-"),
  annotation(
    "ordinal.dev/max-lag",
    "AnnotationInvalid",
    "ordinal.dev/max-lag=soon'; DROP TABLE x",
    /max-lag/,
    "-",
  ),
  annotation("ordinal.dev/engine", "AnnotationInvalid", "ordinal.dev/engine=mysq1", /mysql/, "-"),
  annotation(
    "ordinal.dev/credentials",
    "CredentialsMissing",
    "ordinal.dev/credentials=nowhere",
    /nowhere/,
    "ordinal.dev/credentials=mysql-root",
  ),
  annotation("ordinal.dev/state", "StateForeign", `ordinal.dev/state=${COPIED}`, /another cluster/, "-"),
  annotation(
    "ordinal.dev/state",
    "StateTooNew",
    `ordinal.dev/state=${JSON.stringify({ v: 99 })}`,
    /newer/,
    "-",
  ),
  annotation("ordinal.dev/state", "StateInvalid", "ordinal.dev/state={broken", /cannot be read/, "-"),
  {
    name: "240 KB of other people's annotations",
    code: "AnnotationsTooLarge",
    says: /192 KiB/,
    spoil: async (scene) => {
      for (const part of ["a", "b"]) await scene.annotate(`example.org/bulk-${part}=${BULK}`);
    },
    mend: (scene) => scene.annotate("example.org/bulk-a-", "example.org/bulk-b-"),
  },
  {
    name: "a Secret without a password",
    code: "CredentialsMissing",
    says: /password/,
    spoil: async (scene) => {
      await scene.kubectl("create", "secret", "generic", "empty", "--from-literal=user=root");
      await scene.annotate("ordinal.dev/credentials=empty");
    },
    mend: (scene) => scene.annotate("ordinal.dev/credentials=mysql-root"),
  },
  {
    name: "a wrong password",
    code: "CredentialsRejected",
    says: /1045|denied/,
    spoil: async (scene) => {
      await scene.kubectl("create", "secret", "generic", "wrong", "--from-literal=password=not-it");
      await scene.annotate("ordinal.dev/credentials=wrong");
    },
    mend: (scene) => scene.annotate("ordinal.dev/credentials=mysql-root"),
  },
  {
    name: "a Service of somebody else under our name",
    code: "NameTaken",
    says: /mysql-primary/,
    spoil: (scene) => scene.kubectl("create", "service", "clusterip", "mysql-primary", "--tcp=3306:3306"),
    mend: (scene) => scene.kubectl("delete", "service", "mysql-primary"),
  },
];

describe.skipIf(none)(`bad input on plain servers${skipped}`, () => {
  let scene: Scene;
  const everyone = [0, 1, 2];

  beforeAll(async () => {
    scene = await openScene("e2e-bad-input");
    await scene.until("three plain servers", allReady);
    await scene.host();
  });
  afterAll(() => scene.end());

  test.for(CASES)("$code: $name", async ({ code, says, spoil, mend }) => {
    const before = await digest(scene, everyone);
    const eventsBefore = (await eventsOf(scene)).filter(({ reason }) => reason === code).length;
    await scene.annotate(
      "ordinal.dev/engine-",
      "ordinal.dev/credentials=mysql-root",
      "ordinal.dev/phase-",
      "ordinal.dev/conditions-",
    );
    await spoil(scene);
    const keys = (await scene.world()).annotations;
    if (keys["ordinal.dev/engine"] === undefined) await scene.annotate("ordinal.dev/engine=mysql");
    const world = await scene.until(code, (seen) => conditionsOf(seen).some(({ type }) => type === code));
    const told = conditionsOf(world).filter(({ type }) => type === code);
    expect(told.length).toBe(1);
    expect(told[0]?.message).toMatch(says);
    expect(told[0]?.message.length).toBeLessThanOrEqual(200);
    expect(conditionsOf(world).map(({ type }) => type)).toEqual(["Ready", code]);
    const events = (await eventsOf(scene)).filter(({ reason }) => reason === code);
    expect(events.length).toBe(eventsBefore + 1);
    expect(await digest(scene, everyone)).toEqual(before);
    await scene.annotate("ordinal.dev/engine-");
    await mend(scene);
    expect(await digest(scene, everyone)).toEqual(before);
  });

  test("put right, it is adopted without further help", async () => {
    await scene.annotate(...ADOPT);
    await scene.until("Healthy", (world) => world.phase === "Healthy");
  });
});

// Each has a namespace of its own, so they need not wait for each other.
describe.skipIf(none).concurrent(`bad servers${skipped}`, () => {
  const scenes: Scene[] = [];
  const open = async (...args: Parameters<typeof openScene>) => {
    const scene = await openScene(...args);
    scenes.push(scene);
    return scene;
  };
  afterAll(async () => {
    for (const scene of scenes) await scene.end();
  });

  const healthy = (scene: Scene) => scene.until("Healthy", (world) => world.phase === "Healthy");
  const refused = async (scene: Scene, code: string, ordinals: readonly number[]) => {
    const before = await digest(scene, ordinals);
    await scene.host();
    await scene.annotate(...ADOPT);
    const world = await scene.until(code, (seen) => conditionsOf(seen).some(({ type }) => type === code));
    expect(await digest(scene, ordinals)).toEqual(before);
    expect((await eventsOf(scene)).filter(({ reason }) => reason === code).length).toBe(1);
    return conditionsOf(world).find(({ type }) => type === code)?.message ?? "";
  };

  test("a StatefulSet without a volume claim", async () => {
    const scene = await open("e2e-no-volume", { replicas: 1 }, (manifest) =>
      manifest.slice(0, manifest.indexOf("  volumeClaimTemplates:")).replace(/ +volumeMounts:\n.*\n.*\n/, ""),
    );
    await scene.until("a plain server", allReady);
    expect(await refused(scene, "NoPersistentVolume", [0])).toMatch(/volumeClaimTemplates/);
  });

  test("replicas: 0", async () => {
    const scene = await open("e2e-zero", { replicas: 0 });
    expect(await refused(scene, "ReplicasZero", [])).toMatch(/replicas to 1 or more/);
    await scene.kubectl("scale", "statefulset", "mysql", "--replicas=1");
    await healthy(scene);
  });

  test("a server without its binary log", async () => {
    const scene = await open("e2e-no-binlog", { replicas: 1, args: ["--skip-log-bin"] });
    await scene.until("a plain server", allReady);
    expect(await refused(scene, "UnsupportedSettings", [0])).toMatch(/binary log/);
    const change = [{ op: "remove", path: "/spec/template/spec/containers/0/args" }];
    await scene.kubectl("patch", "statefulset", "mysql", "--type=json", `--patch=${JSON.stringify(change)}`);
    await healthy(scene);
  });

  test("user data on two members", async () => {
    const scene = await open("e2e-two-data", { replicas: 2 });
    await scene.until("two plain servers", allReady);
    for (const ordinal of [0, 1]) {
      await scene.ask(ordinal, `CREATE DATABASE shop${ordinal}`);
      await scene.ask(ordinal, `CREATE TABLE shop${ordinal}.t (id INT PRIMARY KEY)`);
    }
    const message = await refused(scene, "ForeignData", [0, 1]);
    expect(message).toMatch(/shop0/);
    expect(message).toMatch(/shop1/);
    await scene.ask(1, "DROP DATABASE shop1");
    await healthy(scene);
    expect(await scene.ask(1, "SHOW DATABASES LIKE 'shop%'")).toEqual(["shop0"]);
  });
});
