/**
 * Monitoring as it is shipped: a pod that answers a real Prometheus by TLS and with a projected token's like, rules that it
 * evaluates, and a collector that is told of passes. Whatever was told is searched for secrets in the end.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import * as z from "zod";
import { findProgram } from "../../infra/local/packages.ts";
import { makeServerCertificate } from "../support/certificates.ts";
import { ADOPT, allReady, openScene, type Scene } from "../support/e2e.ts";
import { startMonitoring } from "../support/e2e-hosts.ts";
import { tokenOf } from "../support/e2e-requests.ts";
import { freePort } from "../support/free-port.ts";
import { FOLDER, readRules } from "../support/monitoring.ts";
import { noClusterReason, noImageReason, testCluster } from "../support/test-cluster.ts";
import { waitFor } from "../support/wait.ts";

const access = testCluster();
const prometheus = findProgram("prometheus");
const lacking =
  access?.image === null ? noImageReason : prometheus === undefined ? "there is no prometheus" : null;
const reason = access === null ? noClusterReason : lacking;

const vectorSchema = z.looseObject({
  data: z.looseObject({
    result: z.array(
      z.looseObject({ metric: z.record(z.string(), z.string()), value: z.tuple([z.number(), z.string()]) }),
    ),
  }),
});
const rulesSchema = z.looseObject({
  data: z.looseObject({
    groups: z.array(
      z.looseObject({
        rules: z.array(z.looseObject({ name: z.string(), health: z.string(), state: z.string() })),
      }),
    ),
  }),
});

describe.skipIf(reason !== null)(`monitoring${reason === null ? "" : ` (skipped: ${reason})`}`, () => {
  let scene: Scene;
  let folder: string;
  let port: number;
  let scraper: ChildProcess | undefined;
  let collector: Server;
  const told: { readonly path: string; readonly body: string }[] = [];

  beforeAll(async () => {
    scene = await openScene("e2e-monitoring", { replicas: 2 });
    folder = mkdtempSync(join(tmpdir(), "ordinal-monitoring-"));
    collector = createServer((request, response) => {
      void text(request).then((body) => {
        told.push({ path: request.url ?? "", body });
        scene.lines.push(body);
        response.end("{}");
      });
    });
    await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
    const at = (signal: string) =>
      new URL(`http://127.0.0.1:${(collector.address() as AddressInfo).port}/v1/${signal}`);
    await scene.until("two plain servers", allReady);
    await scene.host({
      telemetry: {
        ...{ tracesUrl: at("traces"), metricsUrl: at("metrics"), headers: {} },
        resource: { "service.name": "ordinal" },
      },
    });
    const address = await startMonitoring(scene, await makeServerCertificate(folder));
    await scene.annotate(...ADOPT);
    await scene.until("Healthy", (world) => world.phase === "Healthy" && allReady(world));
    await startPrometheus(address);
  });
  afterAll(async () => {
    scraper?.kill("SIGKILL");
    collector.closeAllConnections();
    collector.close();
    await scene.end();
    rmSync(folder, { recursive: true });
  });

  /** By the example that we ship; only where things are is another place. */
  async function startPrometheus(address: string): Promise<void> {
    const { namespace } = scene.ref;
    await scene.kubectl("create", "serviceaccount", "prometheus");
    const account = `--serviceaccount=${namespace}:prometheus`;
    await scene.kubectl("create", "rolebinding", "ordinal-scraper", "--role=ordinal-scraper", account);
    const token = join(folder, "token");
    writeFileSync(token, await tokenOf(scene, "prometheus"), { mode: 0o600 });
    const { rule_files, scrape_configs } = parse(readFileSync(join(FOLDER, "prometheus.yaml"), "utf8"));
    const [job] = scrape_configs;
    expect([rule_files, job.authorization.credentials_file]).toEqual([
      ["rules.yaml"],
      "/var/run/secrets/ordinal/token",
    ]);
    const config = {
      global: { evaluation_interval: "1s" },
      rule_files: [join(FOLDER, "rules.yaml")],
      scrape_configs: [
        {
          ...{ ...job, scrape_interval: "2s", scrape_timeout: "2s" },
          authorization: { credentials_file: token },
          tls_config: { ca_file: join(folder, "ca.crt"), server_name: "localhost" },
          static_configs: [{ targets: [address] }],
        },
      ],
    };
    writeFileSync(join(folder, "prometheus.yml"), JSON.stringify(config));
    port = await freePort();
    mkdirSync(join(folder, "tsdb"));
    const options = [
      `--config.file=${join(folder, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(folder, "tsdb")}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ];
    scraper = spawn(prometheus ?? "", options, { stdio: "ignore" });
  }

  const ask = async (path: string): Promise<unknown> =>
    (await fetch(`http://127.0.0.1:${port}/api/v1/${path}`)).json();
  /** Labels and values that Prometheus has of a query. */
  async function query(expr: string) {
    const { data } = vectorSchema.parse(await ask(`query?query=${encodeURIComponent(expr)}`));
    return data.result.map(({ metric, value }) => [metric, Number(value[1])] as const);
  }
  const eventually = (what: string, expr: string, wanted: number) =>
    waitFor(what, { timeoutMs: 60_000, everyMs: 500 }, async () => {
      const found = await query(expr).catch((error: unknown) => String(error));
      const isSo = typeof found !== "string" && found.length === 1 && found[0]?.[1] === wanted;
      return isSo ? { ok: true, value: found } : { ok: false, saw: JSON.stringify(found) };
    });

  test("Prometheus is told how the cluster is, under the labels of the database", async () => {
    const { namespace } = scene.ref;
    await eventually("a scrape", "up", 1);
    const [healthy] = await eventually("the state", 'ordinal_cluster_state{state="Healthy"}', 1);
    expect(healthy?.[0]).toMatchObject({ namespace, cluster: "mysql", job: "ordinal" });
    await eventually("both members", "ordinal_members_ready", 2);
    await eventually("the primary", "ordinal_primary_ready", 1);
    await eventually("its acknowledgements", "ordinal_members_acknowledging", 1);
    expect(await query("count(ordinal_problem{severity='warning'})")).toEqual([]);
  });

  test("it evaluates every rule, and what is the matter makes its alert begin", async () => {
    const rules = async () =>
      rulesSchema.parse(await ask("rules")).data.groups.flatMap((group) => group.rules);
    await waitFor("every rule to be evaluated", { timeoutMs: 30_000, everyMs: 500 }, async () => {
      const states = (await rules()).map(({ name, health, state }) => `${name} ${health} ${state}`);
      const wanted = readRules().map(({ alert }) => `${alert} ok inactive`);
      const isSo = JSON.stringify(states.toSorted()) === JSON.stringify(wanted.toSorted());
      return isSo ? { ok: true, value: null } : { ok: false, saw: states.join(", ") };
    });
    await scene.annotate("ordinal.dev/pause=true");
    await eventually("the pause", 'ALERTS{alertname="OrdinalPausedLong", alertstate="pending"}', 1);
    expect(await query('count(ALERTS{alertname!="OrdinalPausedLong"})')).toEqual([]);
    await scene.annotate("ordinal.dev/pause-");
  });

  test("the collector is told of the adoption", () => {
    const traces = told.filter(({ path }) => path === "/v1/traces").map(({ body }) => body);
    expect(traces.length).toBeGreaterThan(0);
    for (const name of ["pass", "observe", "decide", "step"])
      expect(traces.join("\n")).toContain(`"name":"${name}"`);
    expect(traces.join("\n")).toContain('{"key":"ordinal.step","value":{"stringValue":"Seed"}}');
    const metrics = told.filter(({ path }) => path === "/v1/metrics").map(({ body }) => body);
    expect(metrics.join("\n")).toContain('"name":"ordinal.pass.duration"');
  });
});
