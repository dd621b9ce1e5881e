/**
 * The life of one cluster as its user sees it, on real Kubernetes and real MySQL, by a host that has exactly
 * the shipped rights: adopted under writes, a replica lost, the primary killed, drift, release, adopted again.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { OutgoingEvent } from "../../shared/hosts/outgoing/news.ts";
import { ADOPT, allReady, eventsOf, openScene, type Scene, stateOf } from "../support/e2e.ts";
import { inject } from "../support/faults.ts";
import { checkLedger } from "../support/ledger.ts";
import { compareServers, whyNotArmed, whyNotFollowing, withServer } from "../support/servers.ts";
import { noClusterReason, testCluster } from "../support/test-cluster.ts";
import { failedWrites, prepareTable, startWorkload, WRITTEN_SCHEMA } from "../support/workload.ts";
import { podsBehind } from "../support/world.ts";

const none = testCluster() === null;

describe.skipIf(none)(`one cluster's life${none ? ` (skipped: ${noClusterReason})` : ""}`, () => {
  let scene: Scene;
  /** What others are told. */
  const told: OutgoingEvent[] = [];
  let sink: Server;

  beforeAll(async () => {
    scene = await openScene("e2e-story");
    sink = createServer((request, response) => {
      void text(request).then((body) => {
        scene.lines.push(body);
        told.push(JSON.parse(body));
        response.writeHead(202).end();
      });
    });
    await new Promise<void>((resolve) => sink.listen(0, "127.0.0.1", resolve));
    await scene.until("three plain servers", allReady);
  });
  afterAll(async () => {
    await scene.end();
    sink.close();
  });

  const healthy = () => scene.until("Healthy", (world) => world.phase === "Healthy");
  const behind = async (role: string) =>
    (await podsBehind(scene.cluster, { ...scene.ref, name: `mysql-${role}` })).map(({ name }) => name);
  const writer = async () => {
    const first = await scene.address(0);
    await withServer(first, (_server, connection) => prepareTable(connection));
    const locate = async () => (await scene.address(0)).host;
    const rate = { writers: 4, perSecond: 200, secondsMax: 180, timeoutMs: 10_000 };
    return startWorkload({ user: first.user, password: first.password, locate, ...rate });
  };

  test("a primary that is written to is adopted without one failed write", async () => {
    const address = await scene.address(0);
    const before = await scene.world();
    const workload = await writer();
    await scene.host({ sink: `http://127.0.0.1:${(sink.address() as AddressInfo).port}/` });
    await scene.annotate(...ADOPT);
    await healthy();
    expect(await whyNotArmed(address, 2)).toBeNull();
    const after = await scene.until("both Services", async () => (await behind("replicas")).length === 2);
    const ledger = await workload.stop();
    expect(ledger.acked.length).toBeGreaterThan(200);
    expect([failedWrites(ledger), ledger.failures]).toEqual([0, {}]);
    expect((await checkLedger(ledger, address)).lost).toEqual([]);
    expect(await behind("primary")).toEqual(["mysql-0"]);
    expect([after.templateHash, after.specHash]).toEqual([before.templateHash, before.specHash]);
    expect(after.pods[0]).toMatchObject({ uid: before.pods[0]?.uid, restarts: before.pods[0]?.restarts });
    for (const ordinal of [1, 2]) expect(await whyNotFollowing(await scene.address(ordinal))).toBeNull();
    const replicas = await Promise.all([1, 2].map(scene.address));
    expect((await compareServers(address, replicas, { except: [], timeoutMs: 20_000 })).differences).toEqual(
      [],
    );
  });

  test("members talk over TLS with accounts that can do no more than they must", async () => {
    const accounts = await scene.ask(
      0,
      "SELECT user, ssl_type FROM mysql.user WHERE user LIKE 'ordinal%' ORDER BY 1",
    );
    expect(accounts).toEqual(["ordinal\tANY", ...[0, 1, 2].map((ordinal) => `ordinal_repl_${ordinal}\tANY`)]);
    const ciphers =
      "SELECT COUNT(*) FROM performance_schema.replication_connection_configuration WHERE SSL_ALLOWED = 'YES'";
    expect(await scene.ask(1, ciphers)).toEqual(["1"]);
    await expect(
      scene.ask(1, `INSERT INTO ${WRITTEN_SCHEMA}.writes (id, writer, seq) VALUES (-1, 0, 0)`),
    ).rejects.toThrow(/read-only/);
  });

  test("no password is told anywhere", async () => {
    const secret = JSON.parse(await scene.kubectl("get", "secret", "mysql-ordinal", "--output=json")) as {
      data: Record<string, string>;
    };
    const passwords = [
      ...Object.values(secret.data).map((value) => Buffer.from(value, "base64").toString()),
      (await scene.login()).password,
    ];
    expect(passwords.length).toBe(5);
    const told = [
      await scene.kubectl("get", "statefulsets,pods,services,persistentvolumeclaims,events", "--output=json"),
      scene.lines.join("\n"),
    ].join("\n");
    // The example's own Secret is applied from a manifest, whose last-applied annotation is not ours.
    expect(passwords.filter((password) => told.includes(password))).toEqual([]);
  });

  test("a replica that lost its volume is seeded again and counted again", async () => {
    const before = await scene.world();
    const pod = before.pods[2];
    await inject(scene.cluster, "lose-volume", {
      ...scene.ref,
      pod: "mysql-2",
      uid: pod?.uid ?? "",
      claim: "data-mysql-2",
    });
    await scene.until("the old server to be forgotten", (world) => {
      const old = stateOf(before).established?.ackers.find(({ ordinal }) => ordinal === 2)?.serverUuid;
      const ackers = stateOf(world).established?.ackers ?? [];
      return (
        world.phase === "Healthy" &&
        ackers.length === 2 &&
        ackers.every(({ serverUuid }) => serverUuid !== old)
      );
    });
    expect(stateOf(await scene.world()).epoch).toBe(stateOf(before).epoch);
    expect(await whyNotFollowing(await scene.address(2))).toBeNull();
    expect((await eventsOf(scene)).map(({ reason }) => reason)).toEqual(
      expect.arrayContaining(["MemberLeft", "MemberSeeding", "MemberJoined"]),
    );
  });

  test("a primary that was killed, and that nobody replaces, is established in the next epoch", async () => {
    await scene.annotate("ordinal.dev/failover=manual");
    const before = await scene.world();
    const workload = await writer();
    await inject(scene.cluster, "kill", {
      ...scene.ref,
      pod: "mysql-0",
      uid: before.pods[0]?.uid ?? "",
      claim: "",
    });
    await scene.until(
      "the next epoch",
      (world) => world.phase === "Healthy" && stateOf(world).epoch === stateOf(before).epoch + 1,
    );
    const ledger = await workload.stop();
    expect(ledger.acked.length).toBeGreaterThan(0);
    expect((await checkLedger(ledger, await scene.address(0))).lost).toEqual([]);
    expect(await behind("primary")).toEqual(["mysql-0"]);
  });

  test("what somebody switched off by hand is switched on again", async () => {
    await scene.ask(1, "STOP REPLICA SQL_THREAD");
    await scene.ask(0, "SET GLOBAL rpl_semi_sync_source_enabled = OFF");
    await scene.until("both repaired", async () => {
      const following = await whyNotFollowing(await scene.address(1));
      const armed = await whyNotArmed(await scene.address(0), 2);
      return following === null && armed === null;
    });
    await healthy();
  });

  test("a replica with a transaction of its own is made anew, and nothing of it is lost", async () => {
    await scene.ask(1, "SET GLOBAL read_only = OFF");
    await scene.ask(1, "CREATE DATABASE stray");
    await scene.until("ErrantTransactions", async () =>
      (await eventsOf(scene)).some(({ reason }) => reason === "ErrantTransactions"),
    );
    await scene.until("the member to be made anew", async () => {
      const reasons = (await eventsOf(scene)).map(({ reason }) => reason);
      return reasons.includes("TailArchived") && reasons.includes("MemberRebuilding");
    });
    await scene.until(
      "no stray database",
      async () => (await scene.ask(1, "SHOW DATABASES LIKE 'stray'")).length === 0,
    );
    const kept = await scene.ask(0, "SELECT COUNT(*) FROM ordinal.tail");
    expect(Number(kept[0])).toBeGreaterThan(0);
    await scene.until(
      "mysql-1 back",
      async (world) => world.phase === "Healthy" && (await behind("replicas")).length === 2,
    );
  });

  test("released, it is an ordinary set of servers that survives restarts; adopted again, it has a higher epoch", async () => {
    const before = stateOf(await scene.world()).epoch;
    await scene.annotate("ordinal.dev/engine-");
    const released = await scene.until("Released", (world) => world.phase === "Released");
    expect(stateOf(released).established).toBeNull();
    expect((await behind("replicas")).length).toBe(2);
    for (const ordinal of [0, 1]) {
      const uid = released.pods[ordinal]?.uid ?? "";
      await inject(scene.cluster, "kill", { ...scene.ref, pod: `mysql-${ordinal}`, uid, claim: "" });
    }
    await scene.until("an ordinary set of servers", async () => {
      const following = await whyNotFollowing(await scene.address(1));
      const armed = await whyNotArmed(await scene.address(0), 2);
      return following === null && armed === null;
    });
    await scene.annotate(...ADOPT);
    const again = await healthy();
    expect(stateOf(again).epoch).toBeGreaterThan(before);
    await scene.annotate("ordinal.dev/services-on-release=remove", "ordinal.dev/engine-");
    await scene.until("Released", (world) => world.phase === "Released");
    expect(await scene.kubectl("get", "services", "--output=name")).toBe("service/mysql\n");
  });

  test("others were told of all of it once, in order, and of the same as the Events", async () => {
    const reasons = ["AdoptionStarted", "AdoptionCompleted", "PrimaryReopened", "ReleaseStarted", "Released"];
    const types = [
      "adoption.started",
      "adoption.completed",
      "primary.reopened",
      "release.started",
      "released",
    ];
    const released = "dev.ordinal.released";
    await scene.until("the last of it", () => told.filter(({ type }) => type === released).length === 2);
    const seen = told
      .map(({ type }) => type.replace("dev.ordinal.", ""))
      .filter((type) => types.includes(type));
    expect(seen.filter((type, at) => seen.indexOf(type) === at)).toEqual(types);
    expect(new Set(told.map(({ id }) => id)).size).toBe(told.length);
    expect((await eventsOf(scene)).map(({ reason }) => reason)).toEqual(expect.arrayContaining(reasons));
    expect(told.map(({ data }) => data["condition"])).toContainEqual(
      expect.objectContaining({ type: "Ready", status: "True" }),
    );
  });
});
