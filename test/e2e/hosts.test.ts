/**
 * The life of a cluster that is driven by what we ship alone, inside Kubernetes by manifests and image or by the packages for
 * Lambda: adopted under writes, its primary killed, scaled and backed up. The other end-to-end tests have the host in a process of this machine.
 */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { storeSecret } from "../../infra/local/store-secret.ts";
import { type Managed, primaryPod, waitWhole } from "../bench/trial.ts";
import { ADOPT, allReady, eventsOf, openScene, type Scene, stateOf } from "../support/e2e.ts";
import { type Bucket, clusterFields, openBucket } from "../support/e2e-backups.ts";
import { type Driver, deployment, knative, type Running } from "../support/e2e-hosts.ts";
import { lambda } from "../support/e2e-lambda.ts";
import { inject, podProcesses } from "../support/faults.ts";
import { noRecordsReason } from "../support/knative-sources.ts";
import { checkLedger } from "../support/ledger.ts";
import { whyNotArmed, withServer } from "../support/servers.ts";
import { noClusterReason, noImageReason, s3Variable, testCluster } from "../support/test-cluster.ts";
import { failedWrites, prepareTable, startWorkload } from "../support/workload.ts";

const access = testCluster();
const s3 = process.env[s3Variable] === undefined ? `${s3Variable} is not set` : null;
const noImage = access?.image === null ? noImageReason : s3;
const reason = access === null ? noClusterReason : noImage;
const skipped = reason === null ? "" : ` (skipped: ${reason})`;

interface Stage<R> {
  readonly scene: Scene;
  readonly managed: Managed;
  readonly running: R;
}

const FLEET = 100;
/** What Kubernetes calls the RSS of a container: memory of its own, without pages of files, which a node holds once for all. */
const FLEET_MEGABYTES_MAX = 80;

function megabytesOf(pid: number, field: string): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Math.round(Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) / 1024);
}

/** StatefulSets that are managed and have no pods: what they cost the host is what it keeps of each and its looks. */
function fleetManifest(): string {
  const items = Array.from({ length: FLEET }, (_, index) => ({
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: {
      name: `fleet-${index}`,
      annotations: { "ordinal.dev/engine": "mysql", "ordinal.dev/credentials": "mysql-root" },
    },
    spec: {
      replicas: 0,
      serviceName: "fleet",
      selector: { matchLabels: { app: `fleet-${index}` } },
      template: {
        metadata: { labels: { app: `fleet-${index}` } },
        spec: { containers: [{ name: "mysql", image: "mysql:9.7" }] },
      },
      volumeClaimTemplates: [
        {
          metadata: { name: "data" },
          spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
        },
      ],
    },
  }));
  return JSON.stringify({ apiVersion: "v1", kind: "List", items });
}

/** The same life, and then what `more` adds. */
function drivenBy<R extends Running>(
  driver: Driver<R>,
  more: (stage: Stage<R>) => void = () => undefined,
): void {
  const stage = {} as { scene: Scene; managed: Managed; running: R };
  let scene: Scene;
  let managed: Managed;
  let bucket: Bucket;

  beforeAll(async () => {
    scene = await openScene(`e2e-by-${driver.name}`);
    bucket = await openBucket(scene, clusterFields(driver.name));
    await scene.cluster.kubectl(
      ["--namespace", scene.ref.namespace, "create", "--filename=-"],
      storeSecret("backups", bucket.fields),
    );
    await scene.until("three plain servers", allReady);
    managed = { cluster: scene.cluster, ref: scene.ref, login: await scene.login() };
    stage.running = await driver.start(scene);
    Object.assign(stage, { scene, managed });
  });
  afterAll(async () => {
    await stage.running.stop();
    bucket.store.close();
    await scene.end();
  });

  const writer = async () => {
    const first = await scene.address(0);
    await withServer(first, (_server, connection) => prepareTable(connection));
    const locate = async () => (await primaryPod(managed).catch(() => null))?.ip ?? first.host;
    const rate = { writers: 4, perSecond: 100, secondsMax: 300, timeoutMs: 10_000 };
    return startWorkload({ user: first.user, password: first.password, locate, ...rate });
  };

  test("a primary that is written to is adopted without one failed write", async () => {
    const address = await scene.address(0);
    const workload = await writer();
    await scene.annotate(...ADOPT, "ordinal.dev/backup-store=backups", "ordinal.dev/backup-proof=never");
    await waitWhole(managed);
    const ledger = await workload.stop();
    expect(ledger.acked.length).toBeGreaterThan(100);
    expect([failedWrites(ledger), ledger.failures]).toEqual([0, {}]);
    expect((await checkLedger(ledger, address)).lost).toEqual([]);
    expect(await whyNotArmed(address, 2)).toBeNull();
  });

  test("a primary that is killed is replaced, and nothing that was acknowledged is lost", async () => {
    const workload = await writer();
    const before = await primaryPod(managed);
    const { epoch } = stateOf(await scene.world());
    await scene.until("writes", () => workload.progress().acked > 50);
    await inject(scene.cluster, "kill", { ...scene.ref, pod: before.name, uid: before.uid, claim: "" });
    await scene.until("another primary", async () => (await primaryPod(managed)).name !== before.name);
    const { acked } = workload.progress();
    await scene.until("writes to go on", () => workload.progress().acked > acked + 50);
    await waitWhole(managed);
    const ledger = await workload.stop();
    const { ip } = await primaryPod(managed);
    const verdict = await checkLedger(ledger, { ...managed.login, host: ip ?? "" });
    expect([verdict.lost, verdict.ghosts, verdict.strangers]).toEqual([[], [], []]);
    expect(stateOf(await scene.world()).epoch).toBe(epoch + 1);
    const reasons = (await eventsOf(scene)).map(({ reason: given }) => given);
    for (const once of ["FailoverStarted", "FailoverCompleted"])
      expect(reasons.filter((given) => given === once)).toEqual([once]);
  });

  test.each([4, 3])("it has %i members when that is wished", async (members) => {
    await scene.annotate(`ordinal.dev/replicas=${members}`);
    await scene.until(
      `${members} members`,
      (world) => world.phase === "Healthy" && world.replicas === members && allReady(world),
    );
    await waitWhole(managed);
  });

  test("a backup is made when it is wished, and every byte is as its manifest says", async () => {
    await scene.annotate("ordinal.dev/backup-now=true");
    await scene.until("a backup", async () => {
      expect((await bucket.catalogue()).backups).toHaveLength(1);
      return (await scene.world()).annotations["ordinal.dev/last-backup"] !== undefined;
    });
    expect(await bucket.flaws()).toEqual([]);
  });

  more(stage);
}

describe.skipIf(reason !== null)(`driven by a Deployment${skipped}`, () => drivenBy(deployment));
describe.skipIf(reason !== null)(`driven by the packages for Lambda${skipped}`, () => drivenBy(lambda));

const noKnative = reason ?? noRecordsReason;

describe.skipIf(noKnative !== null)(
  `driven by our container as Knative runs it${noKnative === null ? "" : ` (skipped: ${noKnative})`}`,
  () =>
    drivenBy(knative, (stage) => {
      const seqOf = async () => stateOf(await stage.scene.world()).seq;

      test("66 events in 22 seconds are all taken at once, and change nothing", async () => {
        await waitWhole(stage.managed);
        const before = await seqOf();
        const burst = await stage.running.sources.burst(22);
        expect(burst).toHaveLength(66);
        expect(burst.filter(({ status, attempts }) => status !== 202 || attempts > 1)).toEqual([]);
        const took = burst.map(({ tookMs }) => tookMs).toSorted((a, b) => a - b);
        // The first one may have waited for a pod.
        expect(took[Math.floor(took.length / 2)]).toBeLessThan(200);
        expect(await seqOf()).toBe(before);
      });

      test("nothing of it runs while nothing happens", async () => {
        const { revision } = stage.running;
        await stage.scene.until("no pod", async () => (await revision.pods()) === 0);
        const starts = revision.coldStarts.length;
        await stage.scene.until("the next tick to start one", () => revision.coldStarts.length > starts);
      });

      test("what happened while its sources were away is found by the tick", async () => {
        const { scene, managed, running } = stage;
        const before = await primaryPod(managed);
        const { epoch } = stateOf(await scene.world());
        const away = running.sources.gap(10_000);
        await inject(scene.cluster, "kill", { ...scene.ref, pod: before.name, uid: before.uid, claim: "" });
        await away;
        // It may be back before anybody looks: then it is established again, else another one is.
        await scene.until("the next epoch", async (world) => stateOf(world).epoch > epoch);
        await waitWhole(managed);
      });

      test("no event was given up, and none was answered in a way that loses it", () => {
        const { deliveries } = stage.running.sources;
        expect(deliveries.length).toBeGreaterThan(100);
        expect(deliveries.filter(({ status }) => status !== 202)).toEqual([]);
        const starts = stage.running.revision.coldStarts.map((ms) => Math.round(ms));
        console.log(`from no pod to one that is Ready, ms: ${starts.join(" ")}`);
      });
    }),
);

describe.skipIf(reason !== null)(`a Deployment with ${FLEET} clusters${skipped}`, () => {
  let scene: Scene;
  let running: Running;

  beforeAll(async () => {
    scene = await openScene("e2e-fleet", { replicas: 1 });
    await scene.cluster.kubectl(
      ["--namespace", scene.ref.namespace, "create", "--filename=-"],
      fleetManifest(),
    );
    running = await deployment.start(scene);
  });
  afterAll(async () => {
    await running.stop();
    await scene.end();
  });

  test(`takes at most ${FLEET_MEGABYTES_MAX} MB`, async () => {
    const phases = "--output=jsonpath={.items[*].metadata.annotations.ordinal\\.dev/phase}";
    await scene.until("a look at each of them", async () => {
      const told = (await scene.kubectl("get", "statefulsets", phases)).split(" ");
      return told.filter((phase) => phase === "Blocked").length === FLEET;
    });
    const ofHost = [
      "--selector=app.kubernetes.io/name=ordinal",
      "--output=jsonpath={.items[*].metadata.uid}",
    ];
    const uids = (await scene.kubectl("get", "pods", ...ofHost)).split(" ");
    // A minute of sweeps and looks later: what the first looks needed has been given back, or never will be.
    await new Promise((resolve) => setTimeout(resolve, 60_000));
    const ofField = (field: string) =>
      uids.map((uid) => Math.max(...podProcesses(uid).map((pid) => megabytesOf(pid, field))));
    const [own, all] = [ofField("RssAnon"), ofField("VmRSS")];
    console.log(
      `memory of the hosts, MB: ${own.join(" ")} of their own, ${all.join(" ")} with pages of Node's file`,
    );
    expect(Math.min(...own)).toBeGreaterThan(10);
    expect(Math.max(...own)).toBeLessThan(FLEET_MEGABYTES_MAX);
  });
});
