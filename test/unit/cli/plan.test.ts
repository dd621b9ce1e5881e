/** `plan` and `--dry-run` on a simulated cluster: what people and machines are shown, and that nothing is changed. */
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { run } from "../../../shared/cli/program.ts";
import { planDocumentSchema } from "../../../shared/model/documents.ts";
import { fail } from "../../../shared/model/outcome.ts";
import type { Servers } from "../../../shared/ports/server.ts";
import { REF } from "../../sim/ref.ts";
import { createWorld, ROOT_PASSWORD, type World } from "../../sim/world.ts";
import { forwarded } from "./set-up-support.ts";
import { NOWHERE, paper, type Ran } from "./support.ts";

async function settled(replicas: number): Promise<World> {
  const world = createWorld({
    members: [{ tables: ["shop.orders"], rows: 10 }, ...Array(replicas - 1).fill({})],
  });
  await world.settle();
  return world;
}

interface Told extends Ran {
  readonly changes: number;
}

async function ordinal(world: World, line: string, servers = forwarded(world)): Promise<Told> {
  const { printed, terminal } = paper();
  const before = world.sim.calls.length;
  const running = run(line.split(" "), {
    ...terminal,
    clock: world.clock,
    timeZone: "UTC",
    connect: () => ({ ...NOWHERE, kube: world.sim.kube, servers, namespace: REF.namespace, close() {} }),
  });
  const exitCode = await world.clock.run(running);
  const calls = world.sim.calls.slice(before);
  return {
    exitCode,
    ...printed,
    changes: calls.filter(({ verb }) => !["read", "list"].includes(verb)).length,
  };
}

const SWITCHOVER = "switchover mysql --to mysql-2 --dry-run";

describe("a dry run", () => {
  test("of a switchover shows every step, where, and its statements, and changes nothing", async () => {
    const { exitCode, out, err, changes } = await ordinal(await settled(3), SWITCHOVER);
    expect([exitCode, err, changes]).toEqual([0, "", 0]);
    expect(out).toMatch(/^Would write ordinal\.dev\/switchover-to = mysql-2 on StatefulSet shop\/mysql\.\n/);
    expect(out).toContain("\nmysql-0 hands over to mysql-2 in epoch 2, as asked.\n  1. ");
    expect(out).toMatch(
      /\n +\d+\. mysql-0: ending writes on member 0\n +SET PERSIST_ONLY super_read_only = ON;\n/,
    );
    expect(out).toMatch(
      /patch StatefulSet\/mysql: .*ordinal\.dev\/phase = SwitchingOver.*ordinal\.dev\/switchover-to removed/,
    );
    expect(out).toMatch(/patch Service\/mysql-primary: .*spec\.selector\.ordinal\.dev\/epoch = 2/);
    expect(out).toContain("SOURCE_PASSWORD = '***'");
    expect(out).toMatch(/\nNothing was changed\. Without --dry-run it is done\.\n$/);
  });

  test("of more members says that what follows is not known yet", async () => {
    const { exitCode, out } = await ordinal(await settled(3), "scale mysql --replicas 5 --dry-run");
    expect(exitCode).toBe(0);
    expect(out).toContain("spec.replicas = 5");
    expect(out).toContain("\nWhat follows is decided then, on what the servers say.\n");
  });

  test("of a resume shows what has waited, and of a pause what it means", async () => {
    const world = await settled(3);
    world.annotate({ "ordinal.dev/pause": "true", "ordinal.dev/replicas": "2" });
    const resumed = await ordinal(world, "resume mysql --dry-run");
    expect([resumed.exitCode, resumed.changes]).toEqual([0, 0]);
    expect(resumed.out).toMatch(/^Would write ordinal\.dev\/pause removed/);
    expect(resumed.out).toContain("ALTER USER 'ordinal_repl_2'@'%' ACCOUNT LOCK;");
    const paused = await ordinal(world, "pause mysql --dry-run");
    expect([paused.exitCode, paused.changes]).toEqual([0, 0]);
    expect(paused.out).toContain("Ordinal looks and changes nothing, failovers included.");
  });

  test("that would be refused ends with 2 and says why", async () => {
    const { exitCode, out, err } = await ordinal(await settled(3), "switchover mysql --to mysql-7 --dry-run");
    expect([exitCode, out]).toEqual([2, ""]);
    expect(err).toMatch(/^SwitchoverRefused: mysql-7 cannot become the primary: it is no member/);
  });

  test.each([
    ["switchover mysql --to mysql-2 --dry-run --wait", "cannot be used with"],
    ["scale mysql --replicas 5 -o json", "-o goes with --dry-run only."],
    ["scale nobody --replicas 5 --dry-run", "There is no StatefulSet nobody"],
    ["pause nobody --dry-run", "There is no StatefulSet nobody"],
  ])("%s is refused", async (line, says) => {
    const { exitCode, err, changes } = await ordinal(createWorld({ members: [{}] }), line);
    expect([exitCode, changes]).toEqual([2, 0]);
    expect(err).toContain(says);
  });
});

describe("a plan", () => {
  test("of a settled cluster says that there is nothing to do, and how it is", async () => {
    const { exitCode, out } = await ordinal(await settled(3), "plan mysql");
    expect(exitCode).toBe(0);
    expect(out).toMatch(/^shop\/mysql: nothing would be done\. 3 of 3 members in place/);
    expect(out).toMatch(/\nNothing was changed\.\n$/);
  });

  test("of one that nobody has taken over yet shows what adoption would do to its servers", async () => {
    const { exitCode, out, changes } = await ordinal(createWorld({ members: [{}, {}] }), "plan mysql");
    expect([exitCode, changes]).toEqual([0, 0]);
    expect(out).toContain("INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so';");
    expect(out).toMatch(/create Secret\/mysql-ordinal: .*stringData\.control = \*\*\*/);
    expect(out).toMatch(/CLONE INSTANCE FROM .* IDENTIFIED BY '\*\*\*' REQUIRE SSL;/);
  });

  test("of a paused one is refused", async () => {
    const world = await settled(3);
    world.annotate({ "ordinal.dev/pause": "true" });
    const { exitCode, err } = await ordinal(world, "plan mysql");
    expect(exitCode).toBe(2);
    expect(err).toMatch(/^Paused: ordinal\.dev\/pause is true/);
  });

  test("that cannot look at a server says so instead of guessing, and what to do", async () => {
    const world = await settled(3);
    const servers: Servers = {
      connect: async (options) =>
        options.host === "mysql-0"
          ? fail("transient", "kubectl port-forward: forbidden")
          : forwarded(world).connect(options),
    };
    const { exitCode, out, err } = await ordinal(world, "plan mysql", servers);
    expect([exitCode, out]).toEqual([1, ""]);
    expect(err).toMatch(
      /^mysql-0 is ready, but cannot be reached from here: kubectl port-forward: forbidden\.\n/,
    );
    expect(err).toContain("create pods/portforward");
  });

  test("that may not read the Secrets says which right is missing", async () => {
    const world = await settled(3);
    const denied = { kind: "refused", message: "secrets is forbidden" } as const;
    world.sim.setFaults(({ kind }) => (kind === "Secret" ? { before: denied } : {}));
    const { exitCode, err } = await ordinal(world, "plan mysql");
    expect(exitCode).toBe(2);
    expect(err).toContain("secrets is forbidden");
    expect(err).toContain("?dryRun=true");
  });
});

test.each(["plan mysql", SWITCHOVER, "pause mysql --dry-run"])(
  "%s for machines fits its schema, YAML says the same, and no secret is in it",
  async (line) => {
    const world = await settled(3);
    const json = (await ordinal(world, `${line} -o json`)).out;
    expect(planDocumentSchema.parse(JSON.parse(json))).toMatchObject({ kind: "Plan", name: "mysql" });
    const yaml = planDocumentSchema.parse(parse((await ordinal(world, `${line} -o yaml`)).out));
    expect(yaml.stages.length).toBe(JSON.parse(json).stages.length);
    for (const secret of [ROOT_PASSWORD, "password1x", "password2x"]) expect(json).not.toContain(secret);
  },
);
