/**
 * Every hostile value in every annotation and label of ours, on a world that is not adopted yet and on one that is:
 * whoever may patch a StatefulSet, a Pod or a claim may write whatever they like there. No pass throws, no server is
 * changed by it, and the value is never part of a statement, of the name of an object or of a host.
 */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { encodeBackups } from "../../shared/annotations/backups.ts";
import { decodeConditions } from "../../shared/annotations/conditions.ts";
import { ANNOTATION, KEYS, type Key } from "../../shared/annotations/keys.ts";
import { encodeRequests } from "../../shared/annotations/requests.ts";
import { snapshot } from "../../shared/cli/snapshot.ts";
import type { BackupMemory } from "../../shared/model/backup.ts";
import type { Kind } from "../../shared/model/kube.ts";
import { type Outcome, succeed } from "../../shared/model/outcome.ts";
import type { RequestEntry } from "../../shared/model/request.ts";
import { memory } from "../support/backups.ts";
import { HOSTILE, isName, isPlainSentence, MALFORMED, pollution } from "../support/hostile.ts";
import type { Plan } from "./instance.ts";
import { part } from "./kube/store.ts";
import { modelOf } from "./kube/watching.ts";
import { fingerprint } from "./mysql/volume.ts";
import { REF } from "./ref.ts";
import { type Beginning, type Build, createWorld, type World } from "./world.ts";

const MEMBERS = [{ tables: ["shop.orders"], rows: 3 }, {}, {}];
/** What the first of them holds. */
const ROWS = ["row-9", "row-10", "row-11"];
const WISH = { [ANNOTATION.engine]: "mysql", [ANNOTATION.credentials]: "mysql-root" };
const WISHES = Object.values(KEYS).filter(({ writer }) => writer === "user");

interface Watched {
  readonly world: World;
  readonly statements: ReadonlySet<string>;
  /** What has left the process since the last call, and is as it must be. */
  check(value: string): void;
}

/** Shorter ones are found in a statement by chance. */
function isTelling(value: string): boolean {
  return value.length >= 8;
}

function watch(world: World): Watched {
  const [statements, hosts] = [new Set<string>(), new Set<string>()];
  const { connect } = world.fleet;
  world.fleet.connect = async (options) => {
    hosts.add(options.host);
    const connected = await connect(options);
    if (!connected.ok) return connected;
    const { query } = connected.value;
    connected.value.query = (sql, ...more) => {
      statements.add(sql);
      return query.call(connected.value, sql, ...more);
    };
    return connected;
  };
  let calls = 0;
  function check(value: string): void {
    const made = world.sim.calls.slice(calls);
    calls = world.sim.calls.length;
    const names = new Set(made.flatMap(({ namespace, name }) => [namespace, name]));
    expect([...names].filter((name) => name !== null && !isName(name))).toEqual([]);
    expect([...hosts].filter((host) => !/^[0-9.]+$/.test(host))).toEqual([]);
    if (isTelling(value)) expect([...statements].filter((sql) => sql.includes(value))).toEqual([]);
    const told = decodeConditions(world.annotation(ANNOTATION.conditions)).map(({ message }) => message);
    expect(told.filter((message) => !isPlainSentence(message, 200))).toEqual([]);
    expect(pollution()).toEqual([]);
  }
  return { world, statements, check };
}

async function expectPlainEvents({ sim }: World): Promise<void> {
  const events = await sim.kube.list("Event", REF);
  const notes = events.ok ? events.value.map(({ note }) => note) : ["(no list)"];
  expect(notes.length).toBeGreaterThan(0);
  expect(notes.filter((note) => !isPlainSentence(note, 1024))).toEqual([]);
}

/** Every byte that Ordinal could have changed on a server. */
function disks({ kubelet }: World): readonly string[] {
  return kubelet.servers.map(({ volume, process }) => {
    const whole = JSON.stringify([fingerprint(volume), [...process.globals], process.locks.size]);
    return createHash("sha256").update(whole).digest("hex");
  });
}

/** The same without what a new epoch writes, which is how a record that cannot be read is put together again. */
function holdings({ kubelet }: World): readonly string[] {
  return kubelet.servers.map(({ data, volume, process }) =>
    JSON.stringify([
      [...data.tables],
      [...data.rows],
      [...data.users.keys()],
      [...volume.persisted],
      [...process.globals],
    ]),
  );
}

const adopted: Promise<Beginning> = (async () => {
  const world = createWorld({ members: MEMBERS });
  await world.settle();
  return world.capture();
})();

async function settled(): Promise<Watched> {
  const world = createWorld({ members: MEMBERS, beginning: await adopted });
  await world.clock.pass(100);
  await world.settle();
  return watch(world);
}

async function expectHealthy(world: World): Promise<void> {
  await world.settle();
  expect(world.annotation(ANNOTATION.phase)).toBe("Healthy");
}

function onePass(world: World, plan: Plan = {}): Promise<unknown> {
  return world.clock.run(world.pass(plan).result);
}

/** A record that was forged is a lie already, which is not what is looked for. */
const UNINSPECTED: Plan = { inspect() {}, onEffect() {} };

describe("in a wish", () => {
  const keys = WISHES.map(({ key }) => key);
  const takesNames: readonly string[] = [
    ...[ANNOTATION.credentials, ANNOTATION.switchoverTo, ANNOTATION.backupStore],
  ];
  const takesIds: readonly string[] = [ANNOTATION.restoreUndo, ANNOTATION.restoreForget];
  const isTaken = (key: string, value: string): boolean =>
    (takesNames.includes(key) && isName(value)) ||
    (takesIds.includes(key) && /^[a-z0-9][a-z0-9-]{0,31}$/.test(value));
  /** What is wrong with backups keeps no cluster from its adoption. */
  const isOfBackups = (key: string): boolean =>
    key.startsWith("ordinal.dev/backup-") || key === ANNOTATION.proveNow || key === ANNOTATION.archive;

  test.each(keys)("%s, before adoption", async (key) => {
    const { world, check } = watch(createWorld({ members: MEMBERS, annotations: WISH }));
    const before = disks(world);
    for (const value of MALFORMED) {
      if (isTaken(key, value)) continue;
      world.annotate({ [key]: value });
      await onePass(world);
      check(value);
      if (!isOfBackups(key)) expect(disks(world)).toEqual(before);
    }
    await expectPlainEvents(world);
    if (!isOfBackups(key)) expect(world.passwords.made).toBe(0);
    world.annotate({ [key]: null, ...WISH });
    await expectHealthy(world);
  });

  test.each(keys)("%s, of a cluster in operation", async (key) => {
    const { world, statements, check } = await settled();
    const before = disks(world);
    for (const { value } of HOSTILE) {
      world.annotate({ [key]: value });
      await onePass(world);
      check(value);
      expect(disks(world)).toEqual(before);
    }
    await expectPlainEvents(world);
    world.annotate({ [key]: null, ...WISH });
    await expectHealthy(world);
    expect(statements.size).toBeGreaterThan(1);
  });
});

type Where = Key["objects"][number];

const NAMES: Readonly<Record<Where, readonly string[]>> = {
  StatefulSet: ["mysql"],
  Pod: ["mysql-0", "mysql-1"],
  PersistentVolumeClaim: ["storage-mysql-0", "storage-mysql-1"],
};

const FORGED = Object.values(KEYS)
  .filter(({ writer }) => writer === "controller")
  .flatMap(({ key, where, objects }) => objects.map((kind) => ({ key, where, kind })));

/** Writes as somebody with the right to patch would, or puts back what was there. */
function write(
  world: World,
  { key, where, kind }: (typeof FORGED)[number],
  values: readonly (string | null)[],
) {
  for (const [at, name] of NAMES[kind].entries()) {
    const change = { [key]: values[at] ?? values[0] ?? null };
    if (key === ANNOTATION.state) world.annotate(change);
    else world.sim.put(kind, { ...REF, name }, { metadata: { [`${where}s`]: change } });
  }
}

function read(world: World, { key, where, kind }: (typeof FORGED)[number]): readonly (string | null)[] {
  return NAMES[kind].map((name) => {
    const metadata = part(world.sim.raw(kind, { ...REF, name }) ?? {}, "metadata");
    return (part(metadata, `${where}s`)[key] as string | undefined) ?? null;
  });
}

const REQUEST: RequestEntry = {
  ...{ id: "scale-0123abcd", by: "system:serviceaccount:shop:ci", at: "2026-11-23T10:00:00.000Z" },
  ...{ key: "0123456789abcdef", kind: "scale", wish: { replicas: 3 } },
};

const SLOT = "2026-11-22T02:00:00Z";
/** With everything in it that there can be. */
const BACKUPS: BackupMemory = {
  ...memory(),
  running: { slot: SLOT, attempt: 1, method: "logical", asked: "request", source: 1, begunAt: SLOT },
  retry: { slot: SLOT, attempt: 2, method: "logical", asked: "request", notBefore: SLOT, reason: "none" },
  failed: { slot: SLOT, attempt: 5, at: SLOT, reason: "none" },
  proving: { slot: SLOT, begunAt: SLOT },
  unproven: { slot: SLOT, begunAt: SLOT, at: SLOT, reason: "none" },
  demanded: { slot: SLOT, begunAt: SLOT, endedAt: SLOT, fault: "none" },
};

type Path = readonly (string | number)[];

/** Where there is a text, a number or nothing. */
function leavesOf(value: unknown, path: Path = []): readonly Path[] {
  if (value === null || typeof value !== "object") return [path];
  const inner = Object.entries(value);
  return inner.length === 0 ? [path] : inner.flatMap(([key, one]) => leavesOf(one, [...path, key]));
}

function withLeaf(whole: unknown, path: Path, value: string): unknown {
  const copy = structuredClone(whole) as Record<string, unknown>;
  const [last = "", ...before] = path.toReversed();
  const parent = before.toReversed().reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], copy);
  Reflect.set(parent as object, last, value);
  return copy;
}

describe("in what Ordinal keeps", () => {
  test.each(FORGED)("$key of a $kind", async (place) => {
    const { world, check } = await settled();
    const look = place.key === ANNOTATION.state ? holdings : disks;
    const [before, good] = [look(world), read(world, place)];
    const touched: string[] = [];
    for (const { what, value } of HOSTILE) {
      write(world, place, [value]);
      await onePass(world);
      check(value);
      if (String(look(world)) !== String(before)) touched.push(what);
      write(world, place, good);
      await onePass(world);
    }
    await expectHealthy(world);
    expect(touched).toEqual([]);
  });

  /** Two of each kind that are short enough to be let through by the limits of length. */
  const SHORT = Object.values(Object.groupBy(HOSTILE, ({ kind }) => kind)).flatMap((all) =>
    all.filter(({ value }) => value.length > 0 && value.length <= 60).slice(0, 2),
  );
  const JSON_KEYS = [
    ...[ANNOTATION.state, ANNOTATION.history, ANNOTATION.conditions, ANNOTATION.requests],
    ANNOTATION.backups,
  ];

  /** As it stands there, or would if there were any. */
  async function example(key: string): Promise<string | undefined> {
    const { world } = await settled();
    if (key === ANNOTATION.requests) return encodeRequests([REQUEST]);
    if (key !== ANNOTATION.backups) return world.annotation(key);
    const { uid: clusterUid } = modelOf("StatefulSet", world.sim.raw("StatefulSet", REF) ?? {});
    return encodeBackups({ ...BACKUPS, clusterUid })[key];
  }

  test.each(JSON_KEYS)("each value within %s", async (key) => {
    const good = await example(key);
    const whole: unknown = JSON.parse(good ?? "");
    const leaves = leavesOf(whole);
    expect(leaves.length).toBeGreaterThan(4);
    for (const path of leaves) {
      for (const { value } of SHORT) {
        const { world, check } = await settled();
        world.annotate({ [key]: JSON.stringify(withLeaf(whole, path, value)) });
        for (let passes = 0; passes < 3; passes += 1) {
          await onePass(world, UNINSPECTED);
          await world.clock.pass(15_000);
        }
        check(value);
        const rows = world.kubelet.servers.map(({ data }) => ROWS.every((row) => data.rows.has(row)));
        expect(rows, `${path.join(".")}: ${value}`).toEqual([true, true, true]);
      }
    }
  });
});

describe("in what is given to it otherwise", () => {
  const encoded = (value: string) => Buffer.from(value, "utf8").toString("base64");

  test("the name of the governing Service, which Kubernetes does not check", async () => {
    for (const value of MALFORMED.filter((one) => !isName(one))) {
      const { world, check } = watch(createWorld({ members: MEMBERS, set: { serviceName: value } }));
      const before = disks(world);
      await onePass(world);
      check(value);
      expect(disks(world)).toEqual(before);
      const [ready] = decodeConditions(world.annotation(ANNOTATION.conditions));
      expect(ready?.reason).toBe("NoGoverningService");
    }
  });

  test.each(["before adoption", "in operation"])(
    "a number of replicas that fills the memory, %s",
    async (when) => {
      const replicas = 2 ** 31 - 1;
      const grown = <T>(kind: Kind, answer: Outcome<T>): Outcome<T> =>
        answer.ok && kind === "StatefulSet" ? succeed({ ...answer.value, replicas }) : answer;
      const build: Build = {
        kube: (kube) => ({
          ...kube,
          read: async (kind, ref) => grown(kind, await kube.read(kind, ref)),
          patch: async (kind, ref, patch) => grown(kind, await kube.patch(kind, ref, patch)),
        }),
      };
      const beginning = when === "in operation" ? { beginning: await adopted } : {};
      const { world, check } = watch(createWorld({ members: MEMBERS, build, ...beginning }));
      await world.clock.pass(100);
      await onePass(world);
      check("");
      const [first] = world.kubelet.servers;
      expect(ROWS.every((row) => first?.data.rows.has(row))).toBe(true);
      const set = modelOf("StatefulSet", world.sim.raw("StatefulSet", REF) ?? {});
      expect(snapshot({ ...set, replicas }, []).members.length).toBeLessThanOrEqual(100);
    },
  );

  test.each(["username", "password"])("the %s of the user's Secret", async (field) => {
    for (const { value } of HOSTILE) {
      const secret = { username: "root", password: "root-password", [field]: value };
      const { world, check } = watch(createWorld({ members: MEMBERS, secret }));
      const before = disks(world);
      await onePass(world);
      check(value);
      expect(disks(world)).toEqual(before);
      if (field === "password" && value.length >= 8) {
        expect(JSON.stringify(world.sim.raw("StatefulSet", REF))).not.toContain(
          JSON.stringify(value).slice(1, -1),
        );
      }
    }
  });

  test.each(["control", "replication-1"])("the password %s of our own Secret", async (field) => {
    const name = { ...REF, name: "mysql-ordinal" };
    const { world, check } = await settled();
    const good = part(world.sim.raw("Secret", name) ?? {}, "data")[field];
    const before = disks(world);
    for (const { value } of HOSTILE) {
      world.sim.put("Secret", name, { data: { [field]: encoded(value) } });
      await onePass(world);
      check(value);
      expect(disks(world)).toEqual(before);
    }
    world.sim.put("Secret", name, { data: { [field]: good } });
    await expectHealthy(world);
  });
});
