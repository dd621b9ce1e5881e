/** `doctor` on a simulated cluster: each thing that can be missing is found, named, and said what to do about. */
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { BACKUP_RIGHTS, RIGHTS, rightText } from "../../../shared/cli/rights.ts";
import { type Check, examinationSchema } from "../../../shared/model/documents.ts";
import { fail, succeed } from "../../../shared/model/outcome.ts";
import type { ResourceRight } from "../../../shared/ports/examiner.ts";
import { REF } from "../../sim/ref.ts";
import type { World } from "../../sim/world.ts";
import { grantedRights } from "../../support/e2e-rights.ts";
import { SECRET } from "./backups-support.ts";
import { type Around, examining, plain, settled } from "./set-up-support.ts";

async function checksOf(world: World, around: Around = {}): Promise<readonly Check[]> {
  const { out } = await examining(world, "doctor mysql -o json", around);
  return examinationSchema.parse(JSON.parse(out)).checks;
}

const badOnes = (checks: readonly Check[]) =>
  checks.filter(({ verdict }) => verdict !== "good").map(({ check, verdict }) => `${check}: ${verdict}`);

describe("a cluster that has all it needs", () => {
  test("is found so, and the exit code says it", async () => {
    const { exitCode, out, err } = await examining(await settled(), "doctor mysql");
    expect([exitCode, err]).toEqual([0, ""]);
    expect(out).toBe(
      `
✔ StatefulSet shop/mysql is annotated for Ordinal
✔ Ordinal has looked at it and recorded Healthy
✔ Service shop/mysql is headless
✔ 3 of 3 volumes are bound
✔ volumes of members that are scaled away stay
✔ changes of the template are rolled out, with RollingUpdate
✔ a preStop hook lets the primary hand over before it is stopped
✔ its pods are spread
✔ a PodDisruptionBudget is about its pods
✔ rights of system:serviceaccount:shop:ordinal: 21 of 21
✔ the annotations can be read
✔ no other object uses a name that Ordinal needs
✔ what Ordinal has recorded, if anything, can be read
✔ it has members, volumes and a governing Service
✔ Secret mysql-root has a password
✔ 3 of 3 servers answer: MySQL 9.7.4, binary log on
✔ GTID mode is on, and the plugins are installed
`.trimStart(),
    );
  });

  test("for machines, in YAML as in JSON", async () => {
    const world = await settled();
    const json: unknown = JSON.parse((await examining(world, "doctor mysql -o json")).out);
    expect(examinationSchema.safeParse(json).error).toBeUndefined();
    expect(parse((await examining(world, "doctor mysql -o yaml")).out)).toEqual(json);
  });
});

const FORBIDDEN = async () =>
  fail("refused", "The API server did not list it: forbidden (HTTP 403)", { code: 403 });
const WITH_STORE = { "ordinal.dev/backup-store": "backups" };

function spoilSpec(spec: Readonly<Record<string, unknown>>): (world: World) => void {
  return ({ sim }) => void sim.put("StatefulSet", REF, { spec });
}

function withStore({ sim, annotate }: World, values: Readonly<Record<string, string>> = SECRET): void {
  annotate(WITH_STORE);
  const data = Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString("base64")]);
  sim.put("Secret", { ...REF, name: "backups" }, { data: Object.fromEntries(data) });
}

interface Case {
  readonly what: string;
  readonly spoil?: (world: World) => void;
  readonly around?: Around;
  readonly bad: readonly string[];
  readonly says: string;
}

const cases: readonly Case[] = [
  {
    what: "no annotations",
    spoil: ({ annotate }) => annotate({ "ordinal.dev/engine": null, "ordinal.dev/credentials": null }),
    bad: ["managed: wrong"],
    says: "kubectl ordinal adopt mysql -n shop --credentials SECRET",
  },
  {
    what: "an annotation that cannot be read",
    spoil: ({ annotate }) => annotate({ "ordinal.dev/max-lag": "soon" }),
    bad: ["annotations: wrong"],
    says: "ordinal.dev/max-lag",
  },
  {
    what: "a Service that is missing",
    around: { examiner: { isHeadless: async () => fail("gone", "no Service") } },
    bad: ["service: wrong"],
    says: "create a headless Service",
  },
  {
    what: "a Service with an address",
    around: { examiner: { isHeadless: async () => succeed(false) } },
    bad: ["service: wrong"],
    says: "clusterIP: None",
  },
  {
    what: "volumes that would be deleted",
    spoil: spoilSpec({ persistentVolumeClaimRetentionPolicy: { whenScaled: "Delete" } }),
    bad: ["retention: wrong"],
    says: "whenScaled",
  },
  {
    what: "a volume that is not bound",
    spoil: ({ sim }) =>
      void sim.put(
        "PersistentVolumeClaim",
        { ...REF, name: "storage-mysql-1" },
        { status: { phase: "Pending" } },
      ),
    bad: ["volumes: wrong"],
    says: "of 3 volumes, storage-mysql-1 is Pending",
  },
  {
    what: "a preStop hook in another container only",
    around: {
      examiner: {
        template: async () => succeed({ labels: { app: "mysql" }, hooked: ["proxy"], spreads: true }),
      },
    },
    bad: ["hook: wrong"],
    says: "kubectl ordinal adopt mysql --print-hook",
  },
  {
    what: "pods on one node, and no budget",
    around: {
      examiner: {
        template: async () => succeed({ labels: { app: "mysql" }, hooked: ["database"], spreads: false }),
        budgets: async () => succeed([{ app: "another" }]),
      },
    },
    bad: ["spread: hint", "budget: hint"],
    says: "maxUnavailable: 1",
  },
  {
    what: "a right that is missing",
    around: {
      examiner: {
        may: async (_, { verb, resource }) => succeed(!(verb === "delete" && resource === "pods")),
      },
    },
    bad: ["rights: wrong"],
    says: "20 of 21; missing: delete pods",
  },
  {
    what: "rights that we may not ask for",
    around: { examiner: { may: FORBIDDEN, budgets: FORBIDDEN } },
    bad: ["budget: unknown", "rights: unknown"],
    says: "localsubjectaccessreviews",
  },
  {
    what: "a Secret that is missing",
    spoil: ({ sim }) => sim.drop("Secret", { ...REF, name: "mysql-root" }),
    bad: ["credentials: wrong"],
    says: "Secret mysql-root does not exist",
  },
  {
    what: "a Secret without a password",
    spoil: ({ sim }) => void sim.put("Secret", { ...REF, name: "mysql-root" }, { data: { password: null } }),
    bad: ["credentials: wrong"],
    says: "it has no key password",
  },
  {
    what: "a member without a pod",
    spoil: ({ sim }) => sim.drop("Pod", { ...REF, name: "mysql-2" }),
    bad: ["servers: wrong"],
    says: "mysql-2 does not answer: its pod does not exist",
  },
  {
    what: "a store whose Secret is missing",
    spoil: ({ annotate }) => annotate(WITH_STORE),
    bad: ["store: wrong"],
    says: "There is no Secret backups",
  },
  {
    what: "a store whose Secret cannot be read",
    spoil: (world) => withStore(world, { ...SECRET, buckets: "x" }),
    bad: ["store: wrong"],
    says: "docs/backup-stores.md",
  },
  {
    what: "a store that writes a key twice",
    spoil: withStore,
    around: { store: { ignoresConditions: true } },
    bad: ["store: wrong"],
    says: "If-None-Match",
  },
  {
    what: "a store that is not reached from here",
    spoil: withStore,
    around: {
      store: { fault: () => ({ when: "before", failure: { kind: "transient", message: "no answer" } }) },
    },
    bad: ["store: unknown"],
    says: "no answer",
  },
];

describe("what is missing", () => {
  test.each(cases)("$what", async ({ spoil, around, bad, says }) => {
    const world = await settled();
    spoil?.(world);
    expect(badOnes(await checksOf(world, around))).toEqual(bad);
    const { exitCode, out, err } = await examining(world, "doctor mysql", around);
    expect(out).toContain(says);
    const failing = bad.filter((one) => !one.endsWith("hint"));
    expect(exitCode).toBe(failing.length === 0 ? 0 : 1);
    expect(err === "").toBe(failing.length === 0);
    expect(out.match(/^[✘?!] /gm)).toHaveLength(bad.length);
    expect(out.match(/^ {4}To do: \S/gm)).toHaveLength(bad.length);
  });

  test("is told of a cluster that no Ordinal has visited, and what Ordinal will see to is a hint", async () => {
    const world = plain();
    const bad = badOnes(await checksOf(world));
    expect(bad[0]).toBe("visited: wrong");
    expect(new Set(bad.slice(1))).toEqual(new Set(["settings: hint"]));
  });

  test("of a server that is too old is said by the engine's own rule", async () => {
    const world = await settled();
    world.kubelet.server(1).process.globals.set("version", "8.0.36");
    const { out, exitCode } = await examining(world, "doctor mysql");
    expect(exitCode).toBe(1);
    expect(out).toContain("✘ mysql-1: MySQL 8.0.36 is too old: upgrade to 8.4 or later\n");
  });

  test("and of a server that cannot be reached from here nothing is believed", async () => {
    const world = await settled();
    const unreached = { ...world, kubelet: { ...world.kubelet, servers: [] } };
    const { out, exitCode } = await examining(unreached, "doctor mysql");
    expect(exitCode).toBe(1);
    expect(out.match(/^\? mysql-\d is ready, but cannot be reached from here/gm)).toHaveLength(3);
    expect(out).not.toContain("GTID mode is on");
  });
});

describe("the rights that are asked for", () => {
  test("are those of the shipped Roles", () => {
    expect(RIGHTS.map(rightText).toSorted()).toEqual(grantedRights("role.yaml"));
    expect(BACKUP_RIGHTS.map(rightText).toSorted()).toEqual(grantedRights("backups/jobs.yaml"));
  });

  test("are those of the account that is named, by the names of the Secrets, and with backups those to Jobs", async () => {
    const world = await settled();
    withStore(world);
    const asked: string[] = [];
    const may = async (account: string, right: ResourceRight, namespace: string) => {
      asked.push(`${account} in ${namespace}: ${rightText(right)}`);
      return succeed(true);
    };
    const line = "doctor mysql --as-account system:serviceaccount:ops:keeper";
    expect((await examining(world, line, { examiner: { may } })).exitCode).toBe(0);
    const whose = "ops:keeper in shop";
    expect(asked.filter((one) => one.includes("secrets"))).toEqual([
      `${whose}: get secrets mysql-root`,
      `${whose}: get secrets mysql-ordinal`,
      `${whose}: create secrets`,
      `${whose}: patch secrets mysql-ordinal`,
    ]);
    expect(asked).toContain(`${whose}: create jobs.batch`);
  });
});

test.each([
  ["doctor nobody", "There is no StatefulSet nobody"],
  ["doctor mysql --as-account ordinal", "NAMESPACE:NAME"],
  ["doctor", "missing required argument"],
])("%s is wrong use", async (line, says) => {
  const { exitCode, err } = await examining(await settled(), line);
  expect(exitCode).toBe(2);
  expect(err).toContain(says);
});
