/** Runs the database contract on the simulated server and, where there is a cluster, on real ones. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe } from "vitest";
import { createWorld, ROOT_PASSWORD } from "../sim/world.ts";
import { ROOT, startMysqlPods } from "../support/mysql-pods.ts";
import { serverContract } from "./server-cases.ts";
import { got, type ServerSubject, TABLE } from "./server-subject.ts";

describe("simulated MySQL", () => serverContract(openSimSubject));

const kubeconfig = process.env["ORDINAL_TEST_KUBECONFIG"] ?? "";
const reason = kubeconfig === "" ? " (skipped: ORDINAL_TEST_KUBECONFIG names no cluster)" : "";

describe.skipIf(kubeconfig === "")(`real MySQL${reason}`, () =>
  serverContract(() => openRealSubject(kubeconfig)),
);

async function openSimSubject(): Promise<ServerSubject> {
  const world = createWorld({ members: [{ tables: [TABLE] }, {}, {}] });
  const { clock, kubelet, fleet } = world;
  const root = { username: "root", password: ROOT_PASSWORD };
  const limits = {
    connectTimeoutMs: 1_000,
    queryTimeoutMs: 20_000,
    authority: null,
    attributes: {},
    port: 3306,
  };
  return {
    root,
    host: (ordinal) => `mysql-${ordinal}.mysql.shop.svc`,
    async connect(ordinal, credentials = root) {
      for (;;) {
        const [address = ""] =
          [...fleet.byAddress].find(([, server]) => server === kubelet.server(ordinal)) ?? [];
        const server = await fleet.connect({ ...limits, host: address, credentials });
        if (server.ok || server.failure.kind === "refused") return got(server);
        await clock.sleep(250);
      }
    },
    async restart(ordinal) {
      kubelet.server(ordinal).stop(0);
    },
    sleep: clock.sleep,
    run: (work) => clock.run(work()),
    close: () => Promise.resolve(),
  };
}

async function openRealSubject(config: string): Promise<ServerSubject> {
  const pods = await startMysqlPods(config);
  const first = await pods.connect(0);
  got(await first.query("CREATE DATABASE shop"));
  got(await first.query(`CREATE TABLE ${TABLE} (id VARCHAR(64) PRIMARY KEY)`));
  await first.close();
  return {
    root: ROOT,
    host: pods.host,
    connect: pods.connect,
    restart: pods.restart,
    sleep: (ms) => sleep(ms),
    run: (work) => work(),
    close: pods.remove,
  };
}
