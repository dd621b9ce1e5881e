/**
 * A changed pod template on a real cluster: another image under writes, one that cannot be had, one that the servers could
 * not go on with, and pods that are deleted by turns. `mysql:9` and `mysql:9.7` are the same image by two names.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ADOPT, allReady, conditionsOf, eventsOf, openScene, type Scene } from "../support/e2e.ts";
import { checkLedger } from "../support/ledger.ts";
import { withServer } from "../support/servers.ts";
import { noClusterReason, testCluster } from "../support/test-cluster.ts";
import { prepareTable, startWorkload, type Workload } from "../support/workload.ts";
import { ordinalOf, type PodSeen, type World } from "../support/world.ts";

const none = testCluster() === null;
const HELD = 33;

describe.skipIf(none)(`rollouts${none ? ` (skipped: ${noClusterReason})` : ""}`, () => {
  let scene: Scene;

  beforeAll(async () => {
    scene = await openScene("e2e-rollout");
    await scene.until("three plain servers", allReady);
    await scene.host({ lookEveryMs: 2_000 });
    await scene.annotate(...ADOPT);
    await healthy();
  });
  afterAll(() => scene.end());

  const healthy = () => scene.until("Healthy", (world) => world.phase === "Healthy");
  const setImage = (image: string) => scene.kubectl("set", "image", "statefulset/mysql", `mysql=${image}`);
  const primaryOf = ({ pods }: World): PodSeen | undefined =>
    pods.find(({ labels }) => labels["ordinal.dev/role"] === "primary");
  const uids = ({ pods }: World) => pods.map(({ name, uid }) => `${name} ${uid}`);
  const sentence = (world: World, code: string) =>
    conditionsOf(world).find(({ type }) => type === code)?.message ?? "";
  const partition = async () =>
    Number(
      await scene.kubectl(
        "get",
        "statefulset",
        "mysql",
        "-o=jsonpath={.spec.updateStrategy.rollingUpdate.partition}",
      ),
    );

  async function writer(): Promise<Workload> {
    const { user, password } = await scene.login();
    const locate = async () => primaryOf(await scene.world())?.ip ?? null;
    const host = (await locate()) ?? "";
    await withServer({ user, password, host }, (_server, connection) => prepareTable(connection));
    return startWorkload({
      user,
      password,
      locate,
      writers: 8,
      perSecond: 200,
      secondsMax: 300,
      timeoutMs: 2_000,
    });
  }

  /** The order in which members got the image. */
  async function rolled(image: string): Promise<readonly number[]> {
    const order: number[] = [];
    await scene.until(`all members with ${image}`, (world) => {
      for (const pod of world.pods) {
        const ordinal = ordinalOf(pod.name);
        if (pod.image === image && pod.ready && !order.includes(ordinal)) order.push(ordinal);
      }
      return order.length === world.replicas && world.phase === "Healthy";
    });
    return order;
  }

  test("another image under 200 writes a second: replicas first, the old primary last, nothing lost, a short pause", async () => {
    await scene.until("the partition above all members", async () => (await partition()) === HELD);
    const before = await scene.world();
    const old = ordinalOf(primaryOf(before)?.name ?? "");
    const workload = await writer();
    await setImage("mysql:9");
    const order = await rolled("mysql:9");
    const books = await workload.stop();
    expect(order).toEqual([2, 1, 0]);
    expect(old).toBe(0);
    const after = await scene.world();
    expect(ordinalOf(primaryOf(after)?.name ?? "")).not.toBe(0);
    // Nothing stands still until somebody gives up; how short the pause is on a quiet machine says `npm run bench -- rollout`.
    expect(books.longestGapMs).toBeLessThan(10_000);
    await scene.until("the partition above all members", async () => (await partition()) === HELD);
    const verdict = await checkLedger(books, await scene.address(ordinalOf(primaryOf(after)?.name ?? "")));
    expect([verdict.lost, verdict.ghosts]).toEqual([[], []]);
  });

  test("an image that the servers could not go on with touches no pod", async () => {
    const before = uids(await scene.world());
    await setImage("mysql:8.4");
    const told = await scene.until("it to be refused", (world) => sentence(world, "RolloutRefused") !== "");
    expect(sentence(told, "RolloutRefused")).toContain("mysql:8.4 is older than the servers");
    expect(uids(told)).toEqual(before);
    await setImage("mysql:9");
    await scene.until(
      "it to be over",
      (world) => sentence(world, "RolloutRefused") === "" && world.phase === "Healthy",
    );
    expect(uids(await scene.world())).toEqual(before);
  });

  test("an image that cannot be had stops at the first replica, and goes away with the old template", async () => {
    const before = uids(await scene.world());
    await setImage("mysql:9.7.99");
    const stuck = await scene.until(
      "it to be held back",
      (world) => sentence(world, "RolloutHeldBack") !== "",
    );
    const [broken = -1] = before.flatMap((one, at) => (uids(stuck)[at] === one ? [] : [at]));
    expect(sentence(stuck, "RolloutHeldBack")).toMatch(
      new RegExp(`mysql-${broken} is not in order \\(\\w*Image`),
    );
    expect(ordinalOf(primaryOf(stuck)?.name ?? "")).not.toBe(broken);
    expect(uids(stuck).filter((one) => before.includes(one))).toHaveLength(2);
    const workload = await writer();
    await scene.until("writes to go on", () => workload.progress().acked > 100);
    await workload.stop();
    await setImage("mysql:9");
    await scene.until(
      "the member to be made anew",
      ({ phase, pods, replicas }) =>
        phase === "Healthy" &&
        pods.length === replicas &&
        pods.every(({ ready, image }) => ready && image === "mysql:9"),
    );
  });

  test("with OnDelete the pods are deleted by turns", async () => {
    await scene.kubectl(
      "patch",
      "statefulset",
      "mysql",
      "--type=merge",
      '--patch={"spec":{"updateStrategy":{"type":"OnDelete","rollingUpdate":null}}}',
    );
    const old = ordinalOf(primaryOf(await scene.world())?.name ?? "");
    const replaced = async () => (await eventsOf(scene)).filter(({ reason }) => reason === "MemberReplaced");
    const before = (await replaced()).length;
    await setImage("mysql:9.7");
    const order = await rolled("mysql:9.7");
    expect(order.at(-1)).toBe(old);
    expect((await replaced()).length - before).toBe(3);
  });
});
