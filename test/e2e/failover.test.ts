/**
 * Changes of the primary on real servers, as a user sees them: what was acknowledged is there, whoever dies and
 * however; and the functions that do it may be killed, stopped, doubled and robbed of their record in the middle.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { freshen, type Managed, primaryPod, switchOver, waitWhole } from "../bench/trial.ts";
import {
  ADOPT,
  allReady,
  conditionsOf,
  eventsOf,
  openScene,
  type Scene,
  SMALL,
  stateOf,
} from "../support/e2e.ts";
import { inject } from "../support/faults.ts";
import { type HostProcess, startHostProcess } from "../support/host-process.ts";
import { checkLedger } from "../support/ledger.ts";
import { createOutages } from "../support/outages.ts";
import { withServer } from "../support/servers.ts";
import { untilNewStep } from "../support/stepwise.ts";
import { noClusterReason, testCluster } from "../support/test-cluster.ts";
import { waitFor } from "../support/wait.ts";
import { prepareTable, startWorkload, type Workload, WRITTEN_SCHEMA } from "../support/workload.ts";
import { ordinalOf } from "../support/world.ts";

const access = testCluster();
const none = access === null;
const nightly = process.env["ORDINAL_NIGHTLY"] !== undefined;
/** Long for a night, else long enough that the others have to go on without whoever is stopped. */
const FROZEN_MS = nightly ? 60_000 : 12_000;
const API_AWAY_MS = nightly ? 30_000 : 8_000;
const KILLS_MAX = 120;

describe.skipIf(none)(`changes of the primary${none ? ` (skipped: ${noClusterReason})` : ""}`, () => {
  const outages = createOutages();
  const hosts: HostProcess[] = [];
  let scene: Scene;
  let managed: Managed;

  beforeAll(async () => {
    scene = await openScene("e2e-failover", { args: SMALL });
    await scene.until("three plain servers", allReady);
    const { cluster, ref } = scene;
    managed = { cluster, ref, login: await scene.login() };
    host();
    await scene.annotate(...ADOPT, "ordinal.dev/failover-cooldown=0");
    await waitWhole(managed);
  });
  afterAll(async () => {
    await outages.undoAll();
    for (const one of hosts) await one.end();
    await scene.end();
  });
  afterEach(async () => {
    await outages.undoAll();
    await endHosts();
    host();
    await waitWhole(managed);
    // The next restart of a container would be delayed more and more.
    await freshen(managed);
  });

  function host(): HostProcess {
    const { ref, kubeconfig } = scene;
    const started = startHostProcess({ namespace: ref.namespace, kubeconfig });
    hosts.push(started);
    return started;
  }
  async function endHosts(): Promise<void> {
    for (const one of hosts.splice(0)) await one.end();
  }

  const primary = () => primaryPod(managed);
  const writer = async (timeoutMs = 2_000): Promise<Workload> => {
    const first = { ...managed.login, host: (await primary()).ip ?? "" };
    await withServer(first, (_server, connection) => prepareTable(connection));
    const locate = async () => (await primary()).ip;
    const rate = { writers: 4, perSecond: 100, secondsMax: 600, timeoutMs };
    const workload = startWorkload({ ...managed.login, locate, ...rate });
    await progressed(workload, 50);
    return workload;
  };
  const progressed = (workload: Workload, more: number) => {
    const from = workload.progress().acked;
    return waitFor("writes to go on", { timeoutMs: 120_000, everyMs: 100 }, async () => {
      const { acked, failed } = workload.progress();
      return acked >= from + more
        ? { ok: true, value: null }
        : { ok: false, saw: `${acked - from} more, ${failed} failed` };
    });
  };
  const hit = async (fault: "kill" | "terminate") => {
    const pod = await primary();
    await inject(scene.cluster, fault, { ...scene.ref, pod: pod.name, uid: pod.uid, claim: "" });
    return pod.name;
  };
  const epochNow = async () => stateOf(await scene.world()).epoch;
  /** Nothing lost, nothing there that was refused or that nobody wrote, and all in their places. */
  const expectWhole = async (workload: Workload) => {
    await progressed(workload, 20);
    await waitWhole(managed);
    const ledger = await workload.stop();
    const { ip } = await primary();
    const verdict = await checkLedger(ledger, { ...managed.login, host: ip ?? "" });
    expect([verdict.lost, verdict.ghosts, verdict.strangers]).toEqual([[], [], []]);
    expect(verdict.acked).toBeGreaterThan(50);
  };
  const reasons = async () => (await eventsOf(scene)).map(({ reason }) => reason);

  test("a primary that is killed is replaced, and comes back as a replica", async () => {
    const workload = await writer();
    const [before, epoch] = [await primary(), await epochNow()];
    await hit("kill");
    await scene.until("another primary", async () => (await primary()).name !== before.name);
    await expectWhole(workload);
    expect(await epochNow()).toBe(epoch + 1);
    const pod = (await scene.world()).pods.find(({ name }) => name === before.name);
    expect([pod?.uid, pod?.labels["ordinal.dev/role"]]).toEqual([before.uid, "replica"]);
    expect(await reasons()).toEqual(
      expect.arrayContaining(["FailoverStarted", "PrimaryElected", "FailoverCompleted"]),
    );
  });

  test("what a graceful stop acknowledges though no replica has it is not lost", async () => {
    const workload = await writer(20_000);
    await scene.annotate("ordinal.dev/pause=true");
    await scene.until("Paused", (world) => world.phase === "Paused");
    const { name } = await primary();
    for (const ordinal of [0, 1, 2].filter((one) => one !== ordinalOf(name))) {
      await scene.ask(ordinal, "STOP REPLICA IO_THREAD");
    }
    await scene.until("commits to wait", async () => {
      // Commits that come together wait as one.
      const sql = `SELECT VARIABLE_VALUE > 0 FROM performance_schema.global_status
        WHERE VARIABLE_NAME = 'Rpl_semi_sync_source_wait_sessions'`;
      return (await scene.ask(ordinalOf(name), sql)).join() === "1";
    });
    const { acked } = workload.progress();
    await hit("terminate");
    // It answers OK to all of them; without that lie nothing would be shown here.
    await waitFor("commits without a copy to be acknowledged", { timeoutMs: 20_000 }, async () => {
      const more = workload.progress().acked - acked;
      return more > 0 ? { ok: true, value: null } : { ok: false, saw: "none" };
    });
    await scene.annotate("ordinal.dev/pause-");
    await expectWhole(workload);
  });

  test("a switchover costs clients only errors after which they try again", async () => {
    const workload = await writer();
    const { pods } = await scene.world();
    const target = pods.find(({ labels }) => labels["ordinal.dev/role"] === "replica")?.name ?? "";
    const epoch = await epochNow();
    await switchOver(managed, target);
    await expectWhole(workload);
    expect(await epochNow()).toBe(epoch + 1);
    const { annotations } = await scene.world();
    expect(annotations["ordinal.dev/switchover-to"]).toBeUndefined();
    const { failures } = await workload.stop();
    const retryable = ["ER_OPTION_PREVENTS_STATEMENT", "PROTOCOL_CONNECTION_LOST", "ER_SERVER_OFFLINE_MODE"];
    expect(Object.keys(failures).filter((code) => !retryable.includes(code))).toEqual([]);
    expect(await reasons()).toContain("SwitchoverCompleted");
  });

  test("with failover=manual a person is asked, and the answer is acted on", async () => {
    await scene.annotate("ordinal.dev/failover=manual");
    const workload = await writer();
    const [before, epoch] = [await primary(), await epochNow()];
    await outages.stopServer(before.uid);
    await scene.until("the question", (world) =>
      conditionsOf(world).some(({ type }) => type === "FailoverAwaitsApproval"),
    );
    expect(await epochNow()).toBe(epoch);
    await scene.annotate(`ordinal.dev/approve=e${epoch + 1}`);
    await scene.until("another primary", async () => (await primary()).name !== before.name);
    await outages.undoAll();
    await expectWhole(workload);
    await scene.annotate("ordinal.dev/failover-", "ordinal.dev/approve-");
  });

  test("what was written to a replica by hand is kept, and the replica is made anew", async () => {
    const workload = await writer();
    const { name } = await primary();
    const ordinal = [0, 1, 2].find((one) => one !== ordinalOf(name)) ?? 0;
    await scene.ask(ordinalOf(name), `CREATE TABLE ${WRITTEN_SCHEMA}.by_hand (id INT PRIMARY KEY)`);
    await scene.until("the table on the replica", async () => {
      const tables = await scene.ask(ordinal, `SHOW TABLES FROM ${WRITTEN_SCHEMA} LIKE 'by_hand'`);
      return tables.length === 1;
    });
    // One connection, since Ordinal closes the server again as soon as it sees it open.
    await withServer(await scene.address(ordinal), async ({ ask }) => {
      await ask("SET GLOBAL read_only = OFF");
      await ask(`INSERT INTO ${WRITTEN_SCHEMA}.by_hand VALUES (41)`);
      await ask("SET GLOBAL super_read_only = ON");
    });
    const byHand = () => scene.ask(ordinal, `SELECT id FROM ${WRITTEN_SCHEMA}.by_hand`);
    // An earlier test may have told of a member made anew: the row itself has to go. A copy restarts the server.
    await scene.until("it to be made anew", async () => (await byHand().catch(() => null))?.length === 0);
    expect(await reasons()).toContain("MemberRebuilding");
    await expectWhole(workload);
    expect(await byHand()).toEqual([]);
    expect(await reasons()).toContain("TailArchived");
    const kept = await scene.ask(ordinalOf((await primary()).name), "SELECT COUNT(*) > 0 FROM ordinal.tail");
    expect(kept).toEqual(["1"]);
  });

  test("a function that is killed at each step of a failover", async () => {
    const workload = await writer();
    await endHosts();
    const [before, epoch] = [await primary(), await epochNow()];
    await hit("kill");
    const met = new Set<string>();
    const { ref, kubeconfig } = scene;
    const finished = async () => {
      const world = await scene.world();
      return world.phase === "Healthy" && stateOf(world).epoch > epoch;
    };
    const options = { namespace: ref.namespace, kubeconfig, eachOfAKind: nightly, finished };
    while ((await untilNewStep(options, met)) !== null) expect(met.size).toBeLessThan(KILLS_MAX);
    host();
    await expectWhole(workload);
    expect((await scene.world()).pods.find(({ name }) => name === before.name)?.uid).toBe(before.uid);
    // One after the other; of what is done side by side the first that is met ends the run.
    const each = ["recording", "making sure that members", "opening"];
    for (const step of each) expect([...met]).toContainEqual(expect.stringMatching(`^${step}`));
  });

  /** A host that has just done the step which begins so, in the failover that follows a killed primary. */
  const atStep = async (step: string): Promise<HostProcess> => {
    await endHosts();
    const { promise, resolve } = Promise.withResolvers<void>();
    const { ref, kubeconfig } = scene;
    let stopped = false;
    const started = startHostProcess({
      ...{ namespace: ref.namespace, kubeconfig },
      onLine: (line) => {
        // The same step on another member comes once it goes on again.
        if (stopped || line.message !== "step" || line.step?.startsWith(step) !== true) return;
        stopped = true;
        started.signal("SIGSTOP");
        resolve();
      },
    });
    hosts.push(started);
    await waitFor("the host to look on", { timeoutMs: 30_000 }, async () => {
      const serving = started.lines.some(({ message }) => message === "serving");
      return serving ? { ok: true, value: null } : { ok: false, saw: "nothing" };
    });
    await hit("kill");
    await promise;
    return started;
  };

  test("a function that is frozen in the middle, while another one goes on, disturbs nobody", async () => {
    const workload = await writer();
    const frozen = await atStep("stopping the receiver");
    const since = Date.now();
    host();
    await progressed(workload, 50);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, FROZEN_MS - (Date.now() - since))));
    const epoch = await epochNow();
    frozen.signal("SIGCONT");
    await expectWhole(workload);
    expect(await epochNow()).toBe(epoch);
    expect(frozen.alive()).toBe(true);
  });

  test("two functions at once make one failover", async () => {
    host();
    const workload = await writer();
    const epoch = await epochNow();
    await hit("kill");
    await expectWhole(workload);
    expect(await epochNow()).toBe(epoch + 1);
  });

  test("the record is wiped in the middle", async () => {
    const workload = await writer();
    const epoch = await epochNow();
    const stopped = await atStep("stopping the receiver");
    await scene.annotate("ordinal.dev/state-");
    stopped.signal("SIGCONT");
    await expectWhole(workload);
    expect(await epochNow()).toBeGreaterThan(epoch);
    expect(await reasons()).toContain("StateReconstructed");
  });

  test("the API server is away in the middle", async ({ skip }) => {
    const apiServer = access?.apiServer ?? null;
    if (apiServer === null) return skip("the API server is no process of this machine");
    const workload = await writer();
    const started = await atStep("stopping the receiver");
    const away = await outages.stopPart(apiServer);
    started.signal("SIGCONT");
    await new Promise((resolve) => setTimeout(resolve, API_AWAY_MS));
    await away.undo();
    await expectWhole(workload);
  });
});
