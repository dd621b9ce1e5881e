/**
 * Whatever has a part in a backup is killed at random points of one: its Job's pod, the host of the functions, the store, the
 * server that is copied. Wherever it was hit there is never a manifest without all that it names, the next backup is
 * made, and with it goes what the killed one has left open. ORDINAL_KILLS_SEED repeats a run.
 */
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { s3Schema } from "../../infra/local/s3.ts";
import { storeSecret } from "../../infra/local/store-secret.ts";
import { ANNOTATION } from "../../shared/annotations/keys.ts";
import {
  BACKUP_METHODS,
  type BackupMemory,
  type BackupMethod,
  backupMemorySchema,
  type RunningBackup,
} from "../../shared/model/backup.ts";
import { backupJobName } from "../../shared/model/job-name.ts";
import { createChance } from "../sim/clock.ts";
import { ADOPT, allReady, openScene, type Scene } from "../support/e2e.ts";
import { type Bucket, openBucket } from "../support/e2e-backups.ts";
import { killPod, signalServer } from "../support/faults.ts";
import { type HostLine, type HostProcess, startHostProcess } from "../support/host-process.ts";
import { type S3Server, startS3Server, whyNoS3Server } from "../support/s3-server.ts";
import { fieldsOf } from "../support/store-secret.ts";
import { noClusterReason, noImageReason, s3Variable, testCluster } from "../support/test-cluster.ts";

const access = testCluster();
const image = access?.image ?? null;
const s3 = process.env[s3Variable] === undefined ? `${s3Variable} is not set` : whyNoS3Server();
const nightly = process.env["ORDINAL_NIGHTLY"] !== undefined;
const rarely = nightly ? s3 : "it takes half an hour; npm run test:nightly runs it";
const reason = access === null ? noClusterReason : image === null ? noImageReason : rarely;

const JOB_RIGHTS = join(import.meta.dirname, "../../infra/kustomize/backups/jobs.yaml");

const VICTIMS = ["pod-killed", "pod-deleted", "host", "store", "source"] as const;
type Victim = (typeof VICTIMS)[number];
const KILLS: readonly Victim[] = Array.from({ length: 6 }, () => VICTIMS).flat();
const SEED = Number(process.env["ORDINAL_KILLS_SEED"] ?? 1);
const chance = createChance(SEED);
const KILL_MS_MAX = 240_000;

/** Once parts are being sent there is little left to do. */
const SENDING_MS = 1_500;

/** Some parts of an upload, and some seconds of copying. */
const ROWS = `INSERT INTO shop.orders (body) WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 900)
 SELECT CONCAT(RANDOM_BYTES(1000), RANDOM_BYTES(1000)) FROM n`;
const ROWS_TIMES = 28;

const podsSchema = z.object({
  items: z.array(z.looseObject({ metadata: z.object({ name: z.string(), uid: z.string() }) })),
});

/** Our own address as the nodes of the cluster see it. */
function addressTowards(url: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) });
    socket.once("error", reject);
    socket.once("connect", () => {
      resolve(socket.localAddress ?? "none");
      socket.destroy();
    });
  });
}

function shuffled<T>(items: readonly T[]): readonly T[] {
  return items
    .map((item) => ({ item, at: chance() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

describe.skipIf(reason !== null)(`killed backups${reason === null ? "" : ` (skipped: ${reason})`}`, () => {
  let scene: Scene;
  let server: S3Server;
  let bucket: Bucket;
  let host: HostProcess;
  /** How long each method takes when nobody disturbs it. */
  const tookMs = new Map<BackupMethod, number>();

  const startHost = () => {
    const onLine = (line: HostLine) => void scene.lines.push(JSON.stringify(line));
    const { kubeconfig } = scene;
    host = startHostProcess({
      ...{ namespace: scene.ref.namespace, kubeconfig, jobImage: image ?? "", onLine },
    });
  };

  beforeAll(async () => {
    scene = await openScene("e2e-backup-kills");
    await scene.kubectl("apply", `--filename=${JOB_RIGHTS}`);
    const { endpoint } = s3Schema.parse(JSON.parse(process.env[s3Variable] ?? "null"));
    server = await startS3Server({ address: await addressTowards(endpoint) });
    const fields = fieldsOf({ ...server.store, prefix: "kills" });
    bucket = await openBucket(scene, fields);
    const create = ["--namespace", scene.ref.namespace, "create", "--filename=-"];
    await scene.cluster.kubectl(create, storeSecret("backups", fields));
    await scene.until("three plain servers", allReady);
    startHost();
    await scene.annotate(...ADOPT);
    await scene.until("Healthy", (world) => world.phase === "Healthy");
    await scene.ask(0, "CREATE DATABASE shop");
    await scene.ask(0, "CREATE TABLE shop.orders (id INT PRIMARY KEY AUTO_INCREMENT, body BLOB)");
    for (let time = 0; time < ROWS_TIMES; time += 1) await scene.ask(0, ROWS);
    await scene.annotate(
      ...["ordinal.dev/backup-store=backups", "ordinal.dev/backup-proof=never"],
      "ordinal.dev/backup-retention=2",
    );
  });
  afterAll(async () => {
    bucket?.store.close();
    await host?.end();
    await server?.close();
    await scene.end();
  });

  const memory = async (): Promise<BackupMemory | null> => {
    const text = (await scene.world()).annotations[ANNOTATION.backups];
    return text === undefined ? null : backupMemorySchema.parse(JSON.parse(text));
  };
  const until = async (what: string, holds: (now: BackupMemory) => boolean): Promise<BackupMemory> => {
    let seen: BackupMemory | null = null;
    await scene.until(what, async () => {
      seen = await memory();
      return seen !== null && holds(seen);
    });
    return seen ?? expect.unreachable();
  };

  /** One that a person asks for, which is begun at once. */
  async function begin(method: BackupMethod): Promise<RunningBackup> {
    const before = (await memory())?.last?.slot ?? "";
    await scene.annotate(`ordinal.dev/backup-now=${method}`);
    const { running } = await until("a backup to be begun", ({ running: now }) => {
      return now !== null && now.asked === "request" && now.slot > before;
    });
    return running ?? expect.unreachable();
  }

  /** Nothing is under way, and what there is can be counted on. */
  async function settled(): Promise<void> {
    await until("nothing to be under way", ({ running }) => running === null);
    await scene.until("Healthy", (world) => world.phase === "Healthy" && allReady(world));
  }

  /** Every byte of every backup; where a retention is deleting at this moment it is looked at once more. */
  async function expectWhole(when: string): Promise<void> {
    let flaws: readonly string[] = [];
    await scene.until("the bucket to be read", async () => {
      flaws = await bucket.flaws();
      return true;
    });
    expect(flaws, when).toEqual([]);
  }

  const podsOf = async (job: string) => {
    const selector = `--selector=batch.kubernetes.io/job-name=${job}`;
    const { items } = podsSchema.parse(
      JSON.parse(await scene.kubectl("get", "pods", selector, "--output=json")),
    );
    return items.map(({ metadata }) => metadata);
  };

  /** Most of the time goes by with copying, and most can be left behind while parts are sent. */
  async function untilSending({ slot }: RunningBackup): Promise<void> {
    const ends = Date.now() + KILL_MS_MAX;
    for (let looks = 0; Date.now() < ends; looks += 1) {
      if ((await bucket.openUploads()) > 0) return;
      if (looks % 20 === 19 && (await memory())?.running?.slot !== slot) return;
      await sleep(50);
    }
  }

  async function strike(victim: Victim, { source, ...running }: RunningBackup): Promise<void> {
    const job = backupJobName(scene.ref.name, running);
    switch (victim) {
      case "pod-killed":
        for (const { uid } of await podsOf(job)) killPod(uid);
        return;
      case "pod-deleted":
        for (const { name } of await podsOf(job))
          await scene.kubectl("delete", "pod", name, "--grace-period=0", "--force", "--ignore-not-found");
        return;
      case "host":
        await host.end();
        await sleep(chance() * 3_000);
        startHost();
        return;
      case "store":
        await server.kill();
        await sleep(1_000 + chance() * 9_000);
        await server.start();
        return;
      case "source": {
        const pod = (await scene.world()).pods.find(({ name }) => name === `${scene.ref.name}-${source}`);
        signalServer(pod?.uid ?? "none", "SIGKILL");
      }
    }
  }

  test.each(BACKUP_METHODS)("a %s one is made while nobody disturbs it", async (method) => {
    const startedAt = performance.now();
    const { slot } = await begin(method);
    await until("its end", ({ last }) => last?.slot === slot);
    tookMs.set(method, performance.now() - startedAt);
    await expectWhole(method);
  });

  test(
    `nothing is half there after ${KILLS.length} kills from seed ${SEED}`,
    async () => {
      await scene.annotate("ordinal.dev/backup-schedule=* * * * *");
      for (const [index, victim] of shuffled(KILLS).entries()) {
        await settled();
        const method = chance() < 0.5 ? "physical" : "logical";
        const sending = chance() < 0.5;
        const afterMs = Math.round(chance() * (sending ? SENDING_MS : (tookMs.get(method) ?? 0)));
        const running = await begin(method);
        if (sending) await untilSending(running);
        await sleep(afterMs);
        await strike(victim, running);
        const { last } = await until(
          "the attempt to end",
          ({ running: now }) => now === null || now.slot !== running.slot,
        );
        const [{ leftovers }, open] = [await bucket.catalogue(), await bucket.openUploads()];
        await expectWhole(`kill ${index + 1}`);
        const next = await until("the next slot", (now) => (now.last?.slot ?? "") > running.slot);
        await expectWhole(`the slot after kill ${index + 1}`);
        expect(await bucket.openUploads(), `the slot after kill ${index + 1}`).toBe(0);
        console.log(
          JSON.stringify({
            ...{
              kill: index + 1,
              victim,
              method,
              from: sending ? "the first part" : "its beginning",
              afterMs,
            },
            came: last?.slot === running.slot ? "through" : "to nothing",
            left: { openUploads: open, attempts: leftovers.length },
            next: next.last?.slot,
          }),
        );
      }
    },
    KILLS.length * KILL_MS_MAX,
  );
});
