/**
 * A cluster in operation, as whoever is on call sees it: the kubectl plugin, a replica that lags, a primary
 * that dies, a new member that holds somebody else's data, and in the end which rights all of it took.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { attempt } from "../../infra/local/process.ts";
import { examinationSchema } from "../../shared/model/documents.ts";
import { ADOPT, allReady, conditionsOf, eventsOf, openScene, type Scene, stateOf } from "../support/e2e.ts";
import { buildPlugin, runPlugin } from "../support/e2e-plugin.ts";
import { grantedRights, rightsSeen } from "../support/e2e-rights.ts";
import { inject } from "../support/faults.ts";
import { checkLedger } from "../support/ledger.ts";
import { whyNotFollowing, withServer } from "../support/servers.ts";
import { noClusterReason, testCluster } from "../support/test-cluster.ts";
import { prepareTable, startWorkload, type Workload, WRITTEN_SCHEMA } from "../support/workload.ts";
import { podsBehind } from "../support/world.ts";

const access = testCluster();
const none = access === null;
const ROOT = join(import.meta.dirname, "../..");

describe.skipIf(none)(`a cluster in operation${none ? ` (skipped: ${noClusterReason})` : ""}`, () => {
  let scene: Scene;

  beforeAll(async () => {
    scene = await openScene("e2e-operate");
    await buildPlugin();
    await scene.until("three plain servers", allReady);
    await scene.ask(2, "CREATE DATABASE strangers");
    await scene.ask(2, "CREATE TABLE strangers.t (id INT PRIMARY KEY)");
    await scene.ask(2, "INSERT INTO strangers.t VALUES (42)");
    await scene.kubectl("scale", "statefulset", "mysql", "--replicas=2");
    await scene.until("the third to be gone", (world) => world.pods.length === 2);
    await scene.host();
    await scene.annotate(...ADOPT, "ordinal.dev/max-lag=1s");
    await healthy();
  });
  afterAll(() => scene.end());

  const healthy = () => scene.until("Healthy", (world) => world.phase === "Healthy");
  const behind = async (role: string) =>
    (await podsBehind(scene.cluster, { ...scene.ref, name: `mysql-${role}` })).map(({ name }) => name);
  const hasCondition = (code: string) =>
    scene.until(code, (world) => conditionsOf(world).some(({ type }) => type === code));
  const plugin = (...args: string[]) => runPlugin(scene.kubeconfig, args);
  const writer = async (): Promise<Workload> => {
    const first = await scene.address(0);
    await withServer(first, (_server, connection) => prepareTable(connection));
    const locate = async () => (await scene.address(0)).host;
    const { user, password } = first;
    const rate = { writers: 2, perSecond: 50, secondsMax: 180, timeoutMs: 10_000 };
    return startWorkload({ user, password, locate, ...rate });
  };

  test("kubectl ordinal tells how it is, and why", async () => {
    const { namespace } = scene.ref;
    const fleet = await plugin("status", "-n", namespace);
    expect([fleet.code, fleet.stderr]).toEqual([0, ""]);
    expect(fleet.stdout).toMatch(/NAMESPACE +NAME +STATE +PRIMARY/);
    expect(fleet.stdout).toMatch(new RegExp(`${namespace} +mysql +Healthy +mysql-0 +2/2`));
    const one = await plugin("status", "mysql", "-n", namespace);
    expect([one.code, one.stderr]).toEqual([0, ""]);
    expect(one.stdout).toMatch(/^mysql is healthy/);
    const why = await plugin("why", "mysql", "-n", namespace);
    expect([why.code, why.stderr]).toEqual([0, ""]);
    expect(why.stdout).toMatch(/AdoptionStarted[\s\S]*AdoptionCompleted/);
    const json = await plugin("status", "mysql", "-n", namespace, "-o", "json");
    expect(JSON.parse(json.stdout)).toMatchObject({
      apiVersion: "ordinal.dev/cli/v1",
      kind: "Cluster",
      phase: "Healthy",
      primary: "mysql-0",
      ackers: ["mysql-1"],
      ackCount: 1,
    });
    for (const wrong of [["status", "nobody"], ["status", "--colour"], ["why"]]) {
      const refused = await plugin(...wrong, "-n", namespace);
      expect([wrong, refused.code]).toEqual([wrong, 2]);
      expect([refused.stdout, refused.stderr === ""]).toEqual(["", false]);
    }
    const nowhere = { KUBECONFIG: join(ROOT, "dist/no-such-file") };
    const lost = await attempt(join(ROOT, "dist/kubectl-ordinal"), ["status"], {
      env: { ...nowhere, PATH: `${dirname(process.execPath)}:${process.env["PATH"]}` },
    });
    expect(lost.code).toBe(2);
  });

  test("kubectl ordinal doctor finds what is there and what is missing", async () => {
    const { namespace } = scene.ref;
    // docs/cli.md: the built-in role admin sees everything.
    await scene.kubectl("create", "serviceaccount", "keeper");
    const account = `--serviceaccount=${namespace}:keeper`;
    await scene.kubectl("create", "rolebinding", "keeper", "--clusterrole=admin", account);
    const kubeconfig = await scene.kubeconfigOf("keeper");
    const examined = async (...args: string[]) => {
      const where = ["-n", namespace, "--kubeconfig", kubeconfig, "-o", "json"];
      const { code, stdout } = await plugin("doctor", "mysql", ...where, ...args);
      const { checks } = examinationSchema.parse(JSON.parse(stdout));
      const bad = checks.filter(({ verdict }) => verdict !== "good");
      return { code, checks, bad: bad.map(({ check, verdict }) => `${check}: ${verdict}`) };
    };
    const { code, checks, bad } = await examined();
    // The plain StatefulSet of these tests has none of the three.
    expect([code, bad]).toEqual([1, ["hook: wrong", "spread: hint", "budget: hint"]]);
    expect(checks.map(({ check }) => check)).toEqual(
      expect.arrayContaining(["service", "volumes", "rights", "credentials", "servers", "settings"]),
    );
    const stranger = await examined("--as-account", `${namespace}:default`);
    expect(stranger.bad).toContain("rights: wrong");
    await scene.kubectl(
      "create",
      "poddisruptionbudget",
      "mysql",
      "--selector=app=mysql",
      "--max-unavailable=1",
    );
    expect((await examined()).bad).not.toContain("budget: hint");
    await scene.kubectl("delete", "poddisruptionbudget", "mysql");
    // The role view sees no Secret, and may not ask what accounts may.
    await scene.kubectl("delete", "rolebinding", "keeper");
    await scene.kubectl("create", "rolebinding", "keeper", "--clusterrole=view", account);
    const little = await examined();
    expect([little.code, little.bad.filter((one) => one.endsWith("unknown"))]).toEqual([
      1,
      ["rights: unknown", "servers: unknown"],
    ]);
  });

  /** A kubeconfig for somebody who has the rights that docs/cli.md names for plans, and no others. */
  const planner = async (): Promise<string> => {
    const reading = "--resource=statefulsets.apps,pods,persistentvolumeclaims,services,secrets";
    await scene.kubectl("create", "serviceaccount", "planner");
    await scene.kubectl("create", "role", "looking", "--verb=get,list", reading);
    await scene.kubectl("create", "role", "reaching", "--verb=create", "--resource=pods/portforward");
    for (const role of ["looking", "reaching"]) {
      const account = `--serviceaccount=${scene.ref.namespace}:planner`;
      await scene.kubectl("create", "rolebinding", role, `--role=${role}`, account);
    }
    const token = (await scene.kubectl("create", "token", "planner")).trim();
    const path = join(dirname(scene.kubeconfig), "planner");
    const config = JSON.parse(readFileSync(scene.kubeconfig, "utf8"));
    const users = [{ name: "ordinal", user: { token } }];
    writeFileSync(path, JSON.stringify({ ...config, users }), { mode: 0o600 });
    return path;
  };

  test("kubectl ordinal shows a plan from a look at the servers, and changes nothing", async () => {
    const before = stateOf(await scene.world());
    const kubeconfig = await planner();
    // It reaches the servers by the kubectl that it finds.
    const ask = (...args: string[]) => plugin(...args, "-n", scene.ref.namespace, "--kubeconfig", kubeconfig);
    const settled = await ask("plan", "mysql");
    expect([settled.code, settled.stderr]).toEqual([0, ""]);
    expect(settled.stdout).toContain("Nothing was changed.");
    const foreseen = await ask("switchover", "mysql", "--to", "mysql-1", "--dry-run");
    expect([foreseen.code, foreseen.stderr]).toEqual([0, ""]);
    expect(foreseen.stdout).toContain("SET GLOBAL super_read_only = ON;");
    expect(foreseen.stdout).toMatch(/CHANGE REPLICATION SOURCE TO .*SOURCE_PASSWORD = '\*\*\*'/);
    const json = await ask("scale", "mysql", "--replicas", "1", "--dry-run", "-o", "json");
    expect(JSON.parse(json.stdout)).toMatchObject({ kind: "Plan", name: "mysql", complete: true });
    const refused = await ask("switchover", "mysql", "--to", "mysql-0", "--dry-run");
    expect([refused.code, refused.stdout]).toEqual([2, ""]);
    expect(refused.stderr).toContain("it is the primary already");
    await scene.kubectl("delete", "rolebinding", "reaching");
    const cut = await ask("plan", "mysql");
    expect([cut.code, cut.stdout]).toEqual([1, ""]);
    expect(cut.stderr).toMatch(/mysql-\d is ready, but cannot be reached from here: .*forbidden/);
    expect(stateOf(await scene.world())).toEqual(before);
  });

  test("a member with somebody else's data is left alone, and seeded once it is empty", async () => {
    await scene.kubectl("scale", "statefulset", "mysql", "--replicas=3");
    const world = await hasCondition("ForeignData");
    const told = conditionsOf(world).filter(({ type }) => type === "ForeignData");
    expect(told.map(({ message }) => message)).toEqual([expect.stringMatching(/mysql-2.*strangers/)]);
    expect(told[0]?.message.length).toBeLessThanOrEqual(200);
    expect((await eventsOf(scene)).filter(({ reason }) => reason === "ForeignData").length).toBe(1);
    expect(await behind("replicas")).toEqual(["mysql-1"]);
    expect(await scene.ask(2, "SELECT id FROM strangers.t")).toEqual(["42"]);
    expect(await scene.ask(2, "SELECT user FROM mysql.user WHERE user LIKE 'ordinal%'")).toEqual([]);
    expect(await scene.ask(2, "SHOW REPLICA STATUS")).toEqual([]);
    const uid = world.pods[2]?.uid ?? "";
    await inject(scene.cluster, "lose-volume", { ...scene.ref, pod: "mysql-2", uid, claim: "data-mysql-2" });
    await scene.until(
      "three members",
      async (seen) => seen.phase === "Healthy" && (await behind("replicas")).length === 2,
    );
    expect(await whyNotFollowing(await scene.address(2))).toBeNull();
    expect(await scene.ask(2, "SHOW DATABASES LIKE 'strangers'")).toEqual([]);
  });

  test("a replica that lags leaves the read Service, and comes back", async () => {
    const workload = await writer();
    const replica = await scene.address(1);
    await withServer(replica, async ({ ask }) => {
      // Whatever is received waits for this lock: the replica acknowledges, and falls behind all the same.
      await ask(`LOCK TABLES ${WRITTEN_SCHEMA}.writes READ`);
      const world = await hasCondition("ReplicaLagging");
      expect(conditionsOf(world).find(({ type }) => type === "ReplicaLagging")?.message).toMatch(/mysql-1/);
      await scene.until(
        "the lagging one to leave",
        async () => (await behind("replicas")).join() === "mysql-2",
      );
      expect((await plugin("status", "mysql", "-n", scene.ref.namespace)).stdout).toMatch(/ReplicaLagging/);
      await ask("UNLOCK TABLES");
    });
    await scene.until(
      "both in the Service",
      async (world) => world.phase === "Healthy" && (await behind("replicas")).length === 2,
    );
    const ledger = await workload.stop();
    expect((await checkLedger(ledger, await scene.address(0))).lost).toEqual([]);
    expect((await eventsOf(scene)).filter(({ reason }) => reason === "ReplicaLagging").length).toBe(1);
  });

  test("while the primary is gone nobody else takes writes, unless a person approves", async () => {
    await scene.annotate("ordinal.dev/failover=manual");
    const before = await scene.world();
    const workload = await writer();
    const replicas = await Promise.all([1, 2].map(scene.address));
    const open: string[] = [];
    let looks = 0;
    let over = false;
    const guards = replicas.map(async (address) => {
      while (!over) {
        await withServer(address, async ({ ask }) => {
          for (let round = 0; round < 50 && !over; round += 1) {
            const [row] = await ask("SELECT @@global.super_read_only AS closed, SLEEP(0.02)");
            looks += 1;
            if (row?.["closed"] !== 1) open.push(address.host);
          }
        });
      }
    });
    const uid = before.pods[0]?.uid ?? "";
    await inject(scene.cluster, "kill", { ...scene.ref, pod: "mysql-0", uid, claim: "" });
    const epoch = stateOf(before).epoch + 1;
    await scene.until("the next epoch", (seen) => seen.phase === "Healthy" && stateOf(seen).epoch === epoch);
    const reopened = workload.progress().acked;
    await scene.until("writes to go on", () => workload.progress().acked > reopened + 10);
    over = true;
    await Promise.all(guards);
    const ledger = await workload.stop();
    expect([open, looks > 50]).toEqual([[], true]);
    const verdict = await checkLedger(ledger, await scene.address(0));
    expect([verdict.lost, verdict.ghosts, verdict.strangers]).toEqual([[], [], []]);
  });

  test("a changed pod template reaches every member, where nobody else makes pods anew", async () => {
    const before = (await scene.world()).pods.map(({ uid }) => uid);
    const patch = (spec: object) =>
      scene.kubectl("patch", "statefulset", "mysql", "--type=merge", `--patch=${JSON.stringify({ spec })}`);
    await patch({ updateStrategy: { type: "OnDelete", rollingUpdate: null } });
    await patch({ template: { metadata: { annotations: { changed: "yes" } } } });
    await scene.until(
      "every pod to be another one",
      ({ pods, phase, replicas }) =>
        phase === "Healthy" &&
        pods.length === replicas &&
        pods.every(({ uid, ready }) => ready && !before.includes(uid)),
    );
  });

  test("released without its Services, it took exactly the rights that it is given", async ({ skip }) => {
    await scene.annotate("ordinal.dev/services-on-release=remove", "ordinal.dev/engine-");
    await scene.until("Released", (world) => world.phase === "Released");
    const auditLog = access?.auditLog ?? null;
    if (auditLog === null) return skip("there is no audit log to count in");
    const { used, refused } = await rightsSeen(auditLog, scene, "ordinal");
    expect(refused).toEqual([]);
    expect(used).toEqual(grantedRights("role.yaml"));
  });
});
