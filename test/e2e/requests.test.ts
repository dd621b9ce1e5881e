/**
 * Requests on a real API server: who may, once and only once, whichever way they come, and with which rights. By HTTP,
 * as CloudEvents, as annotations and by the kubectl plugin, each of them is accepted, refused with the reason, or done.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadFunctions, SOURCE_FOLDER, selectFunctions } from "../../shared/hosts/local/function-folder.ts";
import { ADOPT, allReady, conditionsOf, openScene, type Scene, stateOf } from "../support/e2e.ts";
import { buildPlugin, runPlugin } from "../support/e2e-plugin.ts";
import {
  applyRights,
  createUser,
  HTTP,
  type Reply,
  type Sending,
  send,
  tokenOf,
} from "../support/e2e-requests.ts";
import { grantedRights, rightsSeen } from "../support/e2e-rights.ts";
import { noClusterReason, testCluster } from "../support/test-cluster.ts";
import { waitFor } from "../support/wait.ts";

const access = testCluster();
const none = access === null;
const CLUSTER = "/clusters/e2e-requests/mysql";
const FRONTS = ["scale", "switchover", "status", "backup", "restore", "metrics", "pause", "approve"] as const;
const ENDS_MS = 90_000;

describe.skipIf(none)(`requests${none ? ` (skipped: ${noClusterReason})` : ""}`, () => {
  let scene: Scene;
  /** Of the resident host, and of hosts that serve one function each with an account of their own. */
  let resident: number | null;
  const ports: Record<string, number | null> = {};
  const tokens: Record<string, string> = {};
  /** The one of twenty that was recorded. */
  let captured: Sending & { readonly port?: number | null } = { path: "" };

  beforeAll(async () => {
    scene = await openScene("e2e-requests", { replicas: 2 });
    await buildPlugin();
    await applyRights(scene, ["http", "functions", "named-secrets"]);
    await createUser(scene, "deployer", { statefulsets: ["get", "update"], "statefulsets/scale": ["patch"] });
    await createUser(scene, "looker", { statefulsets: ["get", "list"], pods: ["get", "list"] });
    await createUser(scene, "stranger", {});
    await createUser(scene, "oncall", { statefulsets: ["get", "list", "patch"], pods: ["get", "list"] });
    for (const name of ["deployer", "looker", "stranger"]) tokens[name] = await tokenOf(scene, name);
    await scene.until("two plain servers", allReady);
    resident = (await scene.host({ http: HTTP })).httpPort;
    const all = await loadFunctions(SOURCE_FOLDER);
    for (const name of FRONTS) {
      const kubeconfig = await scene.kubeconfigOf(`ordinal-${name}`);
      const functions = selectFunctions(all, [name]);
      ports[name] = (await scene.host({ kubeconfig, functions, http: HTTP })).httpPort;
    }
    await scene.annotate(...ADOPT);
    await settled(2);
  });
  afterAll(() => scene.end());

  const settled = (members: number) =>
    scene.until(
      `${members} members`,
      (world) => world.phase === "Healthy" && world.replicas === members && allReady(world),
    );
  const primary = async () => `mysql-${stateOf(await scene.world()).established?.primary.ordinal}`;
  const annotation = async (key: string) => (await scene.world()).annotations[`ordinal.dev/${key}`];
  const ring = async () => JSON.parse((await annotation("requests")) ?? "[]") as readonly { id: string }[];
  /** Everything of the StatefulSet that anybody could have changed. */
  const recorded = async () => {
    const { metadata, spec } = JSON.parse(
      await scene.kubectl("get", "statefulset", "mysql", "--output=json"),
    );
    return { annotations: metadata.annotations, generation: metadata.generation, spec };
  };
  const ask = (
    sending: Sending & { readonly as?: string; readonly port?: number | null },
  ): Promise<Reply> => {
    const { as = "deployer", port = resident, ...rest } = sending;
    return send(port, { token: tokens[as] ?? "", ...rest });
  };
  const scaleTo = (replicas: number) => ({ path: `${CLUSTER}/scale`, body: { replicas } });
  const switchTo = (to: string) => ({ path: `${CLUSTER}/switchover`, body: { to } });
  /** How it stands when it has ended, as one may see it who may only look. */
  const ending = ({ body: { operation } }: Reply) =>
    waitFor(`${String(operation)} to end`, { timeoutMs: ENDS_MS, everyMs: 1_100 }, async () => {
      const path = String(operation);
      const { status, body } = await ask({
        method: "GET",
        path,
        as: "looker",
        port: ports["status"] ?? null,
      });
      const ended = status === 200 && body["status"] !== "accepted";
      return ended ? { ok: true, value: body } : { ok: false, saw: JSON.stringify(body) };
    });

  test("who does not show who they are, or may not, changes nothing", async () => {
    const before = await recorded();
    // From an address of its own: too many failures shut it out.
    const from = "127.0.0.2";
    const badly = (sending: Sending) => send(resident, { from, ...sending });
    const forServer = await tokenOf(scene, "deployer", ["--duration=1h"]);
    const forLong = await tokenOf(scene, "deployer", ["--audience=ordinal", "--duration=2h"]);
    const event = {
      "ce-specversion": "1.0",
      "ce-id": "1",
      "ce-source": "/ci",
      "ce-type": "dev.ordinal.request.scale",
    };
    const body = { namespace: "e2e-requests", name: "mysql", replicas: 3 };
    const nobody = [
      await badly(scaleTo(3)),
      await badly({ ...scaleTo(3), token: "who.am.i" }),
      await badly({ ...scaleTo(3), token: forServer }),
      await badly({ ...scaleTo(3), token: forLong }),
      await badly({ ...scaleTo(3), token: `${tokens["deployer"]}A` }),
      await badly({ path: "/", headers: event, body }),
      await badly(switchTo("mysql-1")),
      await badly({ path: `${CLUSTER}/backup`, body: {} }),
      await badly({ path: `${CLUSTER}/restore`, body: { backup: "latest" } }),
      await badly({ method: "GET", path: CLUSTER }),
    ];
    expect(nobody.map(({ status }) => status)).toEqual(Array(10).fill(401));
    for (const { headers } of nobody) expect(headers["www-authenticate"]).toMatch(/^Bearer/);
    let late = await badly(scaleTo(3));
    for (let more = 0; late.status === 401 && more < 20; more += 1) late = await badly(scaleTo(3));
    const good = await badly({ method: "GET", path: CLUSTER, token: tokens["looker"] ?? "" });
    expect([late.status, good.status, Number(good.headers["retry-after"]) > 0]).toEqual([429, 429, true]);
    const may = [
      await ask({ ...scaleTo(3), as: "looker" }),
      await ask({ ...switchTo("mysql-1"), as: "looker" }),
      await ask({ path: "/", headers: event, body, as: "looker" }),
      await ask({ method: "GET", path: CLUSTER, as: "stranger" }),
      // Whether there is one is nobody's business who may not look.
      await ask({ method: "GET", path: `${CLUSTER}-other`, as: "stranger" }),
      await ask({ path: "/clusters/kube-system/mysql/scale", body: { replicas: 3 } }),
    ];
    expect(may.map(({ status }) => status)).toEqual(Array(6).fill(403));
    expect((await ask({ method: "GET", path: `${CLUSTER}-other`, as: "looker" })).status).toBe(404);
    expect(await recorded()).toEqual(before);
    expect(scene.lines.join("\n")).not.toContain(tokens["deployer"]);
  });

  test("a user who asks too often has to wait, and nobody else", async () => {
    const look = { method: "GET", path: CLUSTER, as: "stranger" } as const;
    const replies = await Promise.all(Array.from({ length: 100 }, () => ask(look)));
    const statuses = Map.groupBy(replies, ({ status }) => status);
    expect([...statuses.keys()].toSorted()).toEqual([403, 429]);
    expect((await ask({ ...look, as: "looker" })).status).toBe(200);
  });

  test("twenty at once to two hosts are one operation, and sent again it does nothing", async () => {
    const dry = await ask({ ...scaleTo(3), path: `${CLUSTER}/scale?dryRun=true` });
    expect([dry.status, JSON.stringify(dry.body["plan"])]).toEqual([200, expect.stringMatching(/2 to 3/)]);
    expect(await ring()).toEqual([]);
    const twenty = Array.from({ length: 20 }, (_, index) => ({
      ...{ ...scaleTo(3), key: `grow-${index}` },
      port: index % 2 === 0 ? resident : (ports["scale"] ?? null),
    }));
    const replies = await Promise.all(twenty.map(ask));
    expect(replies.map(({ status, body }) => [status, body["detail"]])).toEqual(
      Array(20).fill([202, undefined]),
    );
    const [first] = replies as [Reply];
    const { id } = first.body;
    expect(new Set(replies.map(({ body }) => body["id"]))).toEqual(new Set([id]));
    expect((await ring()).map((entry) => entry.id)).toEqual([id]);
    const other = await ask(switchTo("mysql-1"));
    expect([other.status, other.body["detail"]]).toEqual([409, expect.stringContaining(String(id))]);
    expect(await ending(first)).toMatchObject({ id, status: "done", kind: "scale", wish: { replicas: 3 } });
    await settled(3);
    const port = ports["status"] ?? null;
    const { status, body } = await ask({ method: "GET", path: CLUSTER, as: "looker", port });
    expect([status, body["phase"], body["replicas"]]).toEqual([200, "Healthy", 3]);

    const scrape = { method: "GET", path: "/metrics", port: ports["metrics"] ?? null } as const;
    const metrics = await ask({ ...scrape, as: "looker" });
    expect([metrics.status, metrics.text]).toEqual([
      200,
      expect.stringContaining(
        'ordinal_cluster_state{namespace="e2e-requests",cluster="mysql",state="Healthy"} 1\n',
      ),
    ]);
    expect(metrics.text).toMatch(/^ordinal_members_ready\{.*\} 3$/m);
    expect((await ask({ ...scrape, as: "deployer" })).status).toBe(403);

    const before = await recorded();
    // The others' keys were not needed: they found an operation that was open.
    captured = twenty[replies.findIndex((reply) => reply.body["plan"] !== null)] ?? captured;
    const again = await ask(captured);
    expect([again.status, again.body["id"], again.body["status"]]).toEqual([200, id, "done"]);
    const misused = await ask({ ...captured, ...scaleTo(2) });
    expect([misused.status, misused.body["detail"]]).toEqual([422, expect.stringContaining(String(id))]);
    expect(await recorded()).toEqual(before);
  });

  test("as a CloudEvent, in both of its forms", async () => {
    const to = (await primary()) === "mysql-0" ? "mysql-1" : "mysql-0";
    const where = { namespace: "e2e-requests", name: "mysql" };
    const attributes = { specversion: "1.0", id: "hand-over-1", source: "/ci" };
    const type = "dev.ordinal.request.switchover";
    const binary = {
      path: "/",
      headers: Object.fromEntries(
        Object.entries({ ...attributes, type }).map(([name, value]) => [`ce-${name}`, value]),
      ),
      body: { ...where, to },
    };
    const structured = {
      path: "/events",
      headers: { "content-type": "application/cloudevents+json" },
      body: { ...attributes, type, datacontenttype: "application/json", data: { ...where, to } },
    };
    const asked = await ask(binary);
    expect([asked.status, asked.body["detail"]]).toEqual([202, undefined]);
    expect(await ending(asked)).toMatchObject({ status: "done", kind: "switchover", wish: { to } });
    expect(await primary()).toBe(to);
    const before = await recorded();
    const again = await ask(structured);
    expect([again.status, again.body["id"], again.body["status"]]).toEqual([200, asked.body["id"], "done"]);
    const absurd = await ask({
      ...structured,
      body: { ...structured.body, id: "2", data: { ...where, to: 7 } },
    });
    expect(absurd.status).toBe(400);
    expect(await recorded()).toEqual(before);
  });

  test("of two that contradict each other one wins, and the other is told which", async () => {
    const to = (await primary()) === "mysql-0" ? "mysql-1" : "mysql-0";
    const replies = await Promise.all([
      ask({ ...scaleTo(2), port: ports["scale"] ?? null }),
      ask({ ...switchTo(to), port: ports["switchover"] ?? null }),
    ]);
    const [won, lost] = replies.toSorted((a, b) => a.status - b.status) as [Reply, Reply];
    expect([won.status, lost.status]).toEqual([202, 409]);
    expect(lost.body["detail"]).toContain(won.body["id"]);
    expect(await ending(won)).toMatchObject({ status: "done" });
    const [one, other] = await Promise.all([ask(scaleTo(34)), ask(switchTo("mysql-9"))]);
    expect([one.status, other.status, other.body["code"]]).toEqual([400, 422, "SwitchoverRefused"]);
    const restore = { path: `${CLUSTER}/restore`, port: ports["restore"] ?? null };
    const unsaid = await ask({ ...restore, body: {} });
    expect([unsaid.status, unsaid.body["detail"]]).toEqual([
      400,
      expect.stringContaining("one of backup, time and gtid"),
    ]);
    const storeless = await ask({ ...restore, body: { backup: "latest" } });
    expect([storeless.status, storeless.body["code"]]).toEqual([422, "AnnotationInvalid"]);
    const held = await ask({ ...restore, body: { backup: "latest", store: "backups" } });
    expect([held.status, held.body["code"]]).toEqual([422, "RestoreRefused"]);
    const nowhere = await ask({ path: `${CLUSTER}/backup`, body: {}, port: ports["backup"] ?? null });
    expect([nowhere.status, nowhere.body["code"]]).toEqual([422, "AnnotationInvalid"]);
    expect(nowhere.body["detail"]).toContain("ordinal.dev/backup-store is missing");
  });

  test("by the kubectl plugin", async () => {
    const oncall = await scene.kubeconfigOf("oncall");
    const plugin = (...args: string[]) => runPlugin(oncall, args);
    const two = await plugin("scale", "mysql", "--replicas", "2", "--wait");
    expect([two.code, two.stdout]).toEqual([0, expect.stringMatching(/^Done in /)]);
    await settled(2);
    const to = (await primary()) === "mysql-0" ? "mysql-1" : "mysql-0";
    const over = await plugin("switchover", "mysql", "--to", to, "--wait");
    expect([over.code, over.stdout, await primary()]).toEqual([0, expect.stringMatching(/^Done in /), to]);
    const refused = await plugin("switchover", "mysql", "--to", "mysql-7", "--wait");
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("mysql-7")]);
    await scene.annotate("ordinal.dev/switchover-to-");
    expect((await plugin("pause", "mysql")).code).toBe(0);
    await scene.until("Paused", (world) => world.phase === "Paused");
    const late = await plugin("scale", "mysql", "--replicas", "3", "--wait", "--timeout", "3s");
    expect([late.code, late.stderr]).toEqual([3, expect.stringMatching(/kubectl ordinal status mysql/)]);
    expect((await scene.world()).replicas).toBe(2);
    expect((await plugin("resume", "mysql")).code).toBe(0);
    await settled(3);
    const looker = await runPlugin(await scene.kubeconfigOf("looker"), ["pause", "mysql"]);
    expect([looker.code, looker.stderr]).toEqual([2, expect.stringMatching(/forbidden/i)]);
  });

  test("as the dashboard asks: the clusters that one may see, a pause, and an approval", async () => {
    const of = (name: string) => ({ port: ports[name] ?? null });
    const fleet = { method: "GET", path: "/clusters", ...of("status") } as const;
    const seen = await ask({ ...fleet, as: "looker" });
    expect([seen.status, seen.body["items"]]).toEqual([200, [expect.objectContaining({ name: "mysql" })]]);
    expect((await ask({ ...fleet, as: "stranger" })).body["items"]).toEqual([]);
    const page = await send(ports["status"] ?? null, { method: "GET", path: "/dashboard" });
    expect([page.status, page.text]).toEqual([200, expect.stringContaining("/dashboard.js")]);

    const paused = await ask({ path: `${CLUSTER}/pause`, body: {}, ...of("pause") });
    expect([paused.status, await annotation("pause")]).toEqual([200, "true"]);
    await scene.until("Paused", (world) => world.phase === "Paused");
    const dry = await ask({ path: `${CLUSTER}/resume?dryRun=true`, body: {}, ...of("pause") });
    expect([dry.status, await annotation("pause")]).toEqual([200, "true"]);
    expect((await ask({ path: `${CLUSTER}/resume`, body: {}, ...of("pause") })).status).toBe(200);
    await settled(3);

    const epoch = (stateOf(await scene.world()).epoch ?? 0) + 1;
    const approve = { path: `${CLUSTER}/approve`, ...of("approve") };
    expect((await ask({ ...approve, body: { epoch: epoch + 1 } })).status).toBe(422);
    expect((await ask({ ...approve, path: `${approve.path}?dryRun=true`, body: { epoch } })).status).toBe(
      200,
    );
    expect((await ask({ ...approve, body: { epoch } })).status).toBe(200);
    expect(await annotation("approve")).toBe(`e${epoch}`);
    await scene.annotate("ordinal.dev/approve-");
  });

  test("as annotations, and what was captured long ago does nothing", async () => {
    const told = async (type: string) => {
      const world = await scene.until(type, (seen) => conditionsOf(seen).some((one) => one.type === type));
      return conditionsOf(world).find((one) => one.type === type)?.message;
    };
    await scene.annotate("ordinal.dev/replicas=none");
    expect(await told("AnnotationInvalid")).toMatch(/replicas/);
    await scene.annotate("ordinal.dev/replicas=2", "ordinal.dev/switchover-to=mysql-2");
    expect(await told("SwitchoverRefused")).toMatch(/mysql-2/);
    await scene.annotate("ordinal.dev/switchover-to-");
    await settled(2);
    const before = await recorded();
    const again = await ask(captured);
    expect([again.status, again.body["status"]]).toEqual([200, "superseded"]);
    expect(await recorded()).toEqual(before);
  });

  test("each account used the rights that it is given, and no others", async ({ skip }) => {
    const auditLog = access?.auditLog ?? null;
    if (auditLog === null) return skip("there is no audit log to count in");
    const whose = grantedRights("http/token-reviews.yaml");
    for (const name of FRONTS) {
      const seen = await rightsSeen(auditLog, scene, `ordinal-${name}`);
      const granted = [...grantedRights(`functions/${name}.yaml`), ...whose].toSorted();
      // This cluster has no store, so that neither a backup nor a restore was recorded.
      const needed = granted.filter(
        (right) => (name !== "backup" && name !== "restore") || right !== "patch statefulsets.apps",
      );
      expect([name, seen]).toEqual([name, { used: needed, refused: [] }]);
    }
    // What a whole life takes is counted in operate.test.ts.
    const { used, refused } = await rightsSeen(auditLog, scene, "ordinal");
    const reviews = [...grantedRights("http/access-reviews.yaml"), ...whose];
    expect(refused).toEqual([]);
    expect(used).toEqual(expect.arrayContaining(reviews));
    expect([...grantedRights("role.yaml"), ...reviews]).toEqual(expect.arrayContaining([...used]));
  });

  test("with rights to Secrets by name another one is not read, and the user is told", async () => {
    await scene.annotate("ordinal.dev/credentials=elsewhere");
    const world = await scene.until("CredentialsMissing", (seen) =>
      conditionsOf(seen).some(({ type }) => type === "CredentialsMissing"),
    );
    const told = conditionsOf(world).find(({ type }) => type === "CredentialsMissing");
    expect(told?.message).toMatch(/elsewhere.* may not read it/);
  });
});
