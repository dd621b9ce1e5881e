/**
 * A plan is what is then done: the same change is foreseen on a look at a simulated cluster, then really made by the
 * shipped passes, and the statements that each server was sent are the ones of the plan.
 */
import { expect, test } from "vitest";
import type { Preview } from "../../shared/model/plan.ts";
import type { Server, Value } from "../../shared/ports/server.ts";
import { type Asked, preview } from "../../shared/reconcile/preview.ts";
import { REF } from "./ref.ts";
import { WORKFLOWS } from "./workflows.ts";
import { createWorld, ROOT_PASSWORD, type World } from "./world.ts";

type Sent = Map<string, string[]>;

/** What only looks, the lock, and whoever is put out: how many sessions there are is known to the server alone. */
const QUIET = /^(?:SELECT (?!WAIT_FOR)|SET SESSION wait_timeout|KILL )/;
const INSTANT = /\d{4}-\d\d-\d\dT[\d:.]+Z/g;

function filledIn(sql: string, values: readonly Value[]): string {
  const left = [...values];
  return sql.replaceAll(/\s+/g, " ").replaceAll("?", () => {
    const value = left.shift();
    return typeof value === "string" ? `'${value}'` : String(value);
  });
}

/** What differs by nature: instants, passwords and positions. */
function comparable(sql: string): string {
  return sql
    .replaceAll(INSTANT, "<instant>")
    .replaceAll(/_SET\('[^']*'/g, "_SET(<position>")
    .replaceAll(/password\d+x+/g, "***")
    .replaceAll(/"password":"\w+"/g, '"password":"***"');
}

function add(sent: Sent, server: string, sql: string): void {
  if (!QUIET.test(sql)) sent.set(server, [...(sent.get(server) ?? []), comparable(sql)]);
}

/** Everything that any server is sent from now on. */
function listen(world: World): Sent {
  const sent: Sent = new Map();
  const { connect } = world.fleet;
  world.fleet.connect = async (options) => {
    const opened = await connect(options);
    if (!opened.ok) return opened;
    const { query } = opened.value;
    const session: Server = opened.value;
    session.query = (sql, values = [], more) => {
      add(sent, world.fleet.byAddress.get(options.host)?.name ?? "", filledIn(sql, values));
      return query.call(session, sql, values, more) as Promise<never>;
    };
    return opened;
  };
  return sent;
}
async function settled(replicas: number): Promise<World> {
  const orders = { tables: ["shop.orders"], rows: 10 };
  const world = createWorld({ members: [orders, ...Array(replicas - 1).fill({})] });
  await world.settle();
  return world;
}

async function foreseen(world: World, asked: Asked): Promise<Preview> {
  const { context } = world.start({});
  const looked = await world.clock.run(preview(context, REF, asked));
  if (!looked.ok) throw new Error(looked.failure.message);
  return looked.value;
}

function planned({ plan }: Preview): Sent {
  const sent: Sent = new Map();
  for (const { steps } of plan.stages)
    for (const { statements } of steps) for (const { server, sql } of statements) add(sent, server, sql);
  return sent;
}

interface Touched {
  readonly sent: Sent;
  /** `verb Kind/name`, in order; what is told of pods changes with their lag, and Events have their own names. */
  readonly objects: string[];
}

const isPlain = (object: string): boolean => !/ (?:Pod|Event)\//.test(object);

/** Everything that is sent and changed from now on. */
function watch(world: World): Touched {
  const objects: string[] = [];
  const { kube } = world.sim;
  const { create, patch, remove } = kube;
  const note = (verb: string, kind: string, name: string) => {
    if (isPlain(` ${kind}/`)) objects.push(`${verb} ${kind}/${name}`);
  };
  Object.assign(kube, {
    create: (...[kind, manifest]: Parameters<typeof create>) => {
      note("create", kind, manifest.name);
      return create(kind, manifest);
    },
    patch: (...[kind, ref, change]: Parameters<typeof patch>) => {
      note("patch", kind, ref.name);
      return patch(kind, ref, change);
    },
    remove: (...[kind, ref]: Parameters<typeof remove>) => {
      note("delete", kind, ref.name);
      return remove(kind, ref);
    },
  });
  return { sent: listen(world), objects };
}

function changedIn({ plan }: Preview): readonly string[] {
  const changes = plan.stages.flatMap(({ steps }) => steps.flatMap((step) => step.changes));
  return changes.map(({ verb, object }) => `${verb} ${object}`).filter(isPlain);
}

function expectForeseen(shown: Preview, { sent, objects }: Touched): void {
  const plan = planned(shown);
  for (const [server, statements] of plan)
    expect(sent.get(server)?.slice(0, statements.length), server).toEqual(statements);
  if (!shown.plan.complete) return;
  expect(Object.fromEntries(sent)).toEqual(Object.fromEntries(plan));
  expect(objects.toSorted()).toEqual(changedIn(shown).toSorted());
}

const BACKUP = "a backup that is due";

/** Whose changes are all foreseen; the others wait for a server that is another one then. */
const WHOLE: ReadonlySet<string> = new Set([
  ...["a switchover", "fewer members", "a lost record", "release", "release with its Services"],
  BACKUP,
]);

test.each(WORKFLOWS)("$name: each server is sent what the plan says", async ({ name, due }) => {
  const world = await due(1);
  const shown = await foreseen(world, { kind: "plan" });
  const touched = watch(world);
  await world.settle();
  expect(shown.refused).toBeNull();
  // A backup is a Job that is made, and asks no server of the set for anything.
  expect(planned(shown).size > 0).toBe(name !== BACKUP);
  expect(JSON.stringify(shown)).not.toMatch(/"hindered":"/);
  expect(shown.plan.complete).toBe(WHOLE.has(name));
  expectForeseen(shown, touched);
});

test.each(WORKFLOWS)("$name: no secret is in the plan, and none is made for it", async ({ due }) => {
  const world = await due(1);
  const { made } = world.passwords;
  const text = JSON.stringify(await foreseen(world, { kind: "plan" }));
  const secrets = await world.sim.kube.list("Secret", REF);
  if (!secrets.ok) throw new Error("the API server failed");
  const known = secrets.value.flatMap(({ values }) => Object.values(values));
  expect(known).toContain(ROOT_PASSWORD);
  for (const secret of known) expect(text).not.toContain(secret);
  expect(text).not.toMatch(/ThisStands/);
  expect(world.passwords.made).toBe(made);
});

test("looking for a plan changes nothing", async () => {
  const world = await settled(3);
  const touched = watch(world);
  const wish = { kind: "switchover", wish: { to: "mysql-2" } } as const;
  expect((await foreseen(world, wish)).plan.stages.length).toBeGreaterThan(0);
  expect([touched.sent.size, touched.objects]).toEqual([0, []]);
});

test("what only a replica has is archived and the replica made anew as the plan says", async () => {
  const world = await settled(3);
  const login = world.fleet.login(world.kubelet.server(2), "root", ROOT_PASSWORD);
  if (!login.ok) throw new Error(login.failure.message);
  for (const [sql, values] of [
    ["SET GLOBAL read_only = OFF", []],
    ["INSERT INTO shop.orders VALUES (?)", ["astray"]],
    ["SET GLOBAL super_read_only = ON", []],
  ] as const)
    await world.clock.run(login.value.query(sql, values));
  await login.value.close();
  const shown = await foreseen(world, { kind: "plan" });
  const touched = watch(world);
  await world.settle();
  const tail = planned(shown)
    .get("mysql-0")
    ?.find((sql) => sql.startsWith("INSERT INTO ordinal.tail"));
  expect(tail).toContain("'<digest>', 1, 1, 1, <events>)");
  expect(planned(shown).get("mysql-2")?.at(-1)).toMatch(/^CLONE INSTANCE FROM .* IDENTIFIED BY '\*\*\*'/);
  // The bytes are read when it is time; all around them is as foreseen.
  const rough = (sent: Sent): Sent =>
    new Map([...sent].map(([server, all]) => [server, all.map((sql) => sql.split(" VALUES ")[0] ?? "")]));
  const [plan, sent] = [rough(planned(shown)), rough(touched.sent)];
  for (const [server, statements] of plan)
    expect(sent.get(server)?.slice(0, statements.length), server).toEqual(statements);
});
