/** The two kinds of servers that the contract is about: three simulated ones, and three in pods. */
import { setTimeout as sleep } from "node:timers/promises";
import { createWorld, ROOT_PASSWORD } from "../sim/world.ts";
import { ROOT, startMysqlPods } from "../support/mysql-pods.ts";
import { APP, got, type ServerSubject, TABLE } from "./server-subject.ts";

export async function openSimSubject(): Promise<ServerSubject> {
  const world = createWorld({ members: [{ tables: [TABLE] }, {}, {}], backoffStepMs: 0 });
  const { clock, kubelet, fleet } = world;
  const root = { username: "root", password: ROOT_PASSWORD };
  const limits = {
    connectTimeoutMs: 1_000,
    queryTimeoutMs: 20_000,
    authority: null,
    attributes: {},
    port: 3306,
  };
  const tryConnect: ServerSubject["tryConnect"] = (ordinal, credentials) => {
    const ofMember = [...fleet.byAddress].find(([, server]) => server === kubelet.server(ordinal));
    return fleet.connect({ ...limits, host: ofMember?.[0] ?? "", credentials });
  };
  return {
    root,
    host: (ordinal) => `mysql-${ordinal}.mysql.shop.svc`,
    tryConnect,
    async connect(ordinal, credentials = root) {
      for (;;) {
        const server = await tryConnect(ordinal, credentials);
        if (server.ok || server.failure.kind === "refused") return got(server);
        await clock.sleep(250);
      }
    },
    async restart(ordinal) {
      kubelet.server(ordinal).stop(0);
    },
    async signal(ordinal, signal) {
      if (signal === "SIGTERM") return kubelet.server(ordinal).terminate();
      const act = { SIGKILL: "kill", SIGSTOP: "freeze", SIGCONT: "thaw" } as const;
      kubelet[act[signal]](ordinal);
    },
    async blockApplier(ordinal) {
      kubelet.server(ordinal).applierFault = "blocked";
      return async () => {
        kubelet.server(ordinal).applierFault = null;
      };
    },
    values: async (ordinal) => [...kubelet.server(ordinal).data.rows],
    sleep: clock.sleep,
    run: (work) => clock.run(work()),
    close: () => Promise.resolve(),
  };
}

export async function openRealSubject(config: string): Promise<ServerSubject> {
  const pods = await startMysqlPods(config, { supervised: true });
  const first = await pods.connect(0);
  got(await first.query("CREATE DATABASE shop"));
  got(await first.query(`CREATE TABLE ${TABLE} (id VARCHAR(64) PRIMARY KEY)`));
  got(await first.query(`CREATE USER '${APP.username}'@'%' IDENTIFIED BY '${APP.password}'`));
  got(await first.query(`GRANT INSERT ON *.* TO '${APP.username}'@'%'`));
  await first.close();
  return {
    root: ROOT,
    host: pods.host,
    tryConnect: pods.tryConnect,
    connect: pods.connect,
    restart: pods.restart,
    signal: pods.signal,
    async blockApplier(ordinal) {
      const blocker = await pods.connect(ordinal);
      got(await blocker.query(`LOCK TABLES ${TABLE} READ`));
      return () => blocker.close();
    },
    async values(ordinal) {
      const server = await pods.connect(ordinal);
      const found = got(await server.query(`SELECT id FROM ${TABLE}`));
      await server.close();
      return found.map(({ id }) => id ?? "");
    },
    sleep: (ms) => sleep(ms),
    run: (work) => work(),
    close: pods.remove,
  };
}
