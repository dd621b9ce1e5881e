/** `adopt`, `release` and `approve` on a simulated cluster: what they refuse, what they write, and what becomes of it. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { fail, succeed } from "../../../shared/model/outcome.ts";
import { REF } from "../../sim/ref.ts";
import type { World } from "../../sim/world.ts";
import { examining, plain, settled } from "./set-up-support.ts";

const WISH = { "ordinal.dev/engine": "mysql", "ordinal.dev/credentials": "mysql-root" };
const ADOPT = "adopt mysql --credentials mysql-root";

describe("adopt", () => {
  test("writes two annotations, once all is there, and Ordinal takes the cluster over", async () => {
    const world = plain({ annotations: {} });
    const { exitCode, out, changes } = await examining(world, ADOPT);
    expect([exitCode, changes]).toEqual([0, [["StatefulSet", WISH]]]);
    expect(out).toMatch(/^shop\/mysql is to be managed by Ordinal\. Follow it with: kubectl ordinal status /);
    await world.settle();
    expect(world.annotation("ordinal.dev/phase")).toBe("Healthy");
  });

  test("waits until it serves", async () => {
    const world = plain({ annotations: {} });
    const revisions = { currentRevision: "r1", updateRevision: "r1" };
    world.sim.put("StatefulSet", REF, { status: { ...revisions, observedGeneration: 100 } });
    const { exitCode, out, err } = await examining(world, `${ADOPT} --wait`, {
      served: () => world.settling(),
    });
    expect([exitCode, world.annotation("ordinal.dev/phase")]).toEqual([0, "Healthy"]);
    expect(err).toMatch(/^shop\/mysql is to be managed by Ordinal\.\n/);
    expect(out).toMatch(/^Done in [\d.]+ s\. 3 of 3 members in place, primary mysql-0, epoch 1/);
  });

  test("shows before what would be done", async () => {
    const { exitCode, out, changes } = await examining(plain({ annotations: {} }), `${ADOPT} --dry-run`);
    expect([exitCode, changes]).toEqual([0, []]);
    expect(out).toMatch(
      /^Would write ordinal\.dev\/engine = mysql, ordinal\.dev\/credentials = mysql-root on StatefulSet shop\/mysql\.\n/,
    );
    expect(out).toContain("INSTALL PLUGIN");
  });

  test.each<[string, string, (world: World) => object]>([
    ["a Secret that is not there", "Secret mysql-root does not exist", ({ sim }) => drop(sim)],
    [
      "a right that is missing",
      "missing: delete pods",
      () => ({
        examiner: { may: async (_: string, { verb, resource }: Right) => succeed(no(verb, resource)) },
      }),
    ],
    [
      "a Service that is missing",
      "create a headless Service",
      () => ({ examiner: { isHeadless: async () => fail("gone", "no Service") } }),
    ],
    [
      "a server that is too old",
      "is too old",
      ({ kubelet }) => {
        kubelet.server(0).process.globals.set("version", "8.0.36");
        return {};
      },
    ],
  ])("refuses %s, with the reason, and writes nothing", async (_, says, spoil) => {
    const world = plain({ annotations: {} });
    const { exitCode, err, changes } = await examining(world, ADOPT, spoil(world));
    expect([exitCode, changes]).toEqual([2, []]);
    expect(err).toMatch(/^shop\/mysql cannot be managed as it is, and was not annotated:\n✘ /);
    expect(err).toContain(says);
    expect(err).toContain("\n    To do: ");
  });

  test("goes on with what could be better, and says it", async () => {
    const template = async () => succeed({ labels: { app: "mysql" }, hooked: [], spreads: true });
    const { exitCode, err, changes } = await examining(plain({ annotations: {} }), ADOPT, {
      examiner: { template },
    });
    expect([exitCode, changes.length]).toEqual([0, 1]);
    expect(err).toMatch(/^✘ no preStop hook/);
    expect(err).not.toContain("no Ordinal has looked at it");
  });

  test("refuses what is annotated already", async () => {
    const { exitCode, err } = await examining(await settled(), ADOPT);
    expect(exitCode).toBe(2);
    expect(err).toBe(
      "shop/mysql is annotated for Ordinal already. To look at it: kubectl ordinal doctor mysql -n shop\n",
    );
  });

  test("prints the hook of the example, as YAML that can be put into a container", async () => {
    const { exitCode, out } = await examining(plain({ annotations: {} }), "adopt mysql --print-hook");
    expect(exitCode).toBe(0);
    const example = readFileSync(new URL("../../../infra/examples/mysql-ha.yaml", import.meta.url), "utf8");
    const set = parseAllDocuments(example)
      .map((document) => document.toJS())
      .find(({ kind }) => kind === "StatefulSet");
    const [container] = set.spec.template.spec.containers;
    expect(parse(out)).toEqual({ lifecycle: container.lifecycle });
    expect(out).toContain(
      `terminationGracePeriodSeconds: ${set.spec.template.spec.terminationGracePeriodSeconds}`,
    );
  });
});

interface Right {
  readonly verb: string;
  readonly resource: string;
}

const no = (verb: string, resource: string) => !(verb === "delete" && resource === "pods");

function drop(sim: World["sim"]): object {
  sim.drop("Secret", { ...REF, name: "mysql-root" });
  return {};
}

describe("release", () => {
  const RELEASED = [["StatefulSet", { "ordinal.dev/engine": null }]];

  test("asks, says what it means, and takes a no", async () => {
    const { exitCode, asked, err, changes } = await examining(await settled(), "release mysql", {
      says: false,
    });
    expect([exitCode, changes, err]).toEqual([2, [], "Nothing was changed.\n"]);
    expect(asked).toEqual([
      "Ordinal lets go of shop/mysql: replication goes on, and nothing fails over any more.\n" +
        "The Services mysql-primary and mysql-replicas stay as they are (docs/release.md).\nRelease it?",
    ]);
  });

  test("takes a yes, and waits until it is done", async () => {
    const world = await settled();
    const released = await examining(world, "release mysql --wait", {
      says: true,
      served: () => world.settling(),
    });
    expect([released.exitCode, released.changes]).toEqual([0, RELEASED]);
    expect(released.out).toMatch(/^Done in \d+\.\d s\.\n$/);
    expect(world.annotation("ordinal.dev/phase")).toBe("Released");
  });

  test("asks nobody where nobody sits, but wants to be told so", async () => {
    const world = await settled();
    world.annotate({ "ordinal.dev/services-on-release": "remove" });
    const refused = await examining(world, "release mysql");
    expect([refused.exitCode, refused.changes]).toEqual([2, []]);
    expect(refused.err).toContain("mysql-replicas are deleted");
    expect(refused.err).toContain("To release it, add --yes.");
    const done = await examining(world, "release mysql --yes");
    expect([done.exitCode, done.changes]).toEqual([0, RELEASED]);
    const again = await examining(world, "release mysql --yes");
    expect([again.exitCode, again.changes]).toEqual([2, []]);
  });

  test("shows before what would be done", async () => {
    const { exitCode, out, changes } = await examining(await settled(), "release mysql --dry-run");
    expect([exitCode, changes]).toEqual([0, []]);
    expect(out).toMatch(/^Would write ordinal\.dev\/engine removed on StatefulSet shop\/mysql\.\n/);
    expect(out).toContain("ordinal.dev/phase = Releas");
  });
});

/** A member that is away leaves something to look for in each of them. */
async function passes(world: World): Promise<void> {
  for (let second = 0; second < 20; second += 1) {
    await world.pass({}).result;
    await world.clock.sleep(1_000);
  }
}

describe("approve", () => {
  async function waiting(): Promise<World> {
    const world = await settled({ annotations: { ...WISH, "ordinal.dev/failover": "manual" } });
    world.kubelet.freeze(0);
    await world.clock.run(passes(world));
    return world;
  }

  test("says what waits and what is lost, approves that epoch, and waits for it", async () => {
    const world = await waiting();
    const planned = await examining(world, "approve mysql --dry-run");
    expect([planned.exitCode, planned.changes]).toEqual([0, []]);
    expect(planned.out).toMatch(/^Would write ordinal\.dev\/approve = e2 on StatefulSet shop\/mysql\.\n/);

    const { exitCode, out, err, changes } = await examining(world, "approve mysql --wait", {
      served: () => passes(world),
    });
    expect([exitCode, changes]).toEqual([0, [["StatefulSet", { "ordinal.dev/approve": "e2" }]]]);
    expect(err).toMatch(/^FailoverAwaitsApproval: mysql-0 would be failed over/);
    expect(err).toContain("Nothing that was acknowledged is lost");
    expect(out).toMatch(/^Done in \d+\.\d s\. mysql-[12] is the primary in epoch 2\.\n$/);
  });

  test("refuses where nothing waits, and says so", async () => {
    const { exitCode, err, changes } = await examining(await settled(), "approve mysql");
    expect([exitCode, err, changes]).toEqual([2, "No failover of shop/mysql waits for approval.\n", []]);
  });
});

test.each([
  ["adopt mysql", "Name the Secret of its root password: --credentials SECRET."],
  ["adopt mysql --credentials ../x", "Write the name of a Secret."],
  ["adopt nobody --credentials mysql-root", "There is no StatefulSet nobody"],
  ["adopt mysql --credentials mysql-root -o json", "-o goes with --dry-run only."],
  ["release nobody --yes", "There is no StatefulSet nobody"],
  ["release mysql --yes -o json", "-o goes with --dry-run only."],
  ["approve nobody", "There is no StatefulSet nobody"],
  ["approve mysql -o yaml", "-o goes with --dry-run only."],
])("%s is wrong use", async (line, says) => {
  const { exitCode, err, changes } = await examining(await settled(), line);
  expect([exitCode, changes]).toEqual([2, []]);
  expect(err).toContain(says);
});
