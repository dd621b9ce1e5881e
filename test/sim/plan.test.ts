/**
 * A plan is what is then done: the same change is foreseen on a look at a simulated cluster, then really made by the
 * shipped passes, and the statements that each server was sent are the ones of the plan.
 */
import { expect, test } from "vitest";
import type { Row, Server, Value } from "../../shared/ports/server.ts";
import { type Asked, preview } from "../../shared/reconcile/preview.ts";
import { REF } from "./ref.ts";
import { createWorld, ROOT_PASSWORD, type World } from "./world.ts";

type Sent = Map<string, string[]>;

const QUIET = /^(?:SELECT (?!WAIT_FOR)|SET SESSION wait_timeout)/;
const INSTANT = /\d{4}-\d\d-\d\dT[\d:.]+Z/g;

function filledIn(sql: string, values: readonly Value[]): string {
  const left = [...values];
  return sql.replaceAll(/\s+/g, " ").replaceAll("?", () => {
    const value = left.shift();
    return typeof value === "string" ? `'${value}'` : String(value);
  });
}

/** What differs by nature: instants, passwords, and the numbers of threads. */
function comparable(sql: string): string {
  return sql
    .replaceAll(INSTANT, "<instant>")
    .replaceAll(/_SET\('[^']*'/g, "_SET(<position>")
    .replaceAll(/password\d+x+/g, "***")
    .replaceAll(/"password":"\w+"/g, '"password":"***"')
    .replaceAll(/\bKILL \d+/g, "KILL <thread>");
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
void ({} as Row);

async function foreseen(world: World, asked: Asked): Promise<Sent> {
  const { context } = world.start({});
  const looked = await world.clock.run(preview(context, REF, asked));
  if (!looked.ok) throw new Error(looked.failure.message);
  const { plan } = looked.value;
  if (process.env["SHOW"]) console.log(JSON.stringify(looked.value, null, 1));
  const sent: Sent = new Map();
  for (const { server, sql } of plan.stages.flatMap(({ steps }) => steps.flatMap((s) => s.statements)))
    add(sent, server, sql);
  return sent;
}

async function settled(replicas: number): Promise<World> {
  const orders = { tables: ["shop.orders"], rows: 10 };
  const world = createWorld({ members: [orders, ...Array(replicas - 1).fill({})] });
  await world.settle();
  return world;
}

test.each<[string, number, Asked, Readonly<Record<string, string>>]>([
  [
    "a switchover",
    3,
    { kind: "switchover", wish: { to: "mysql-2" } },
    { "ordinal.dev/switchover-to": "mysql-2" },
  ],
  ["fewer members", 5, { kind: "scale", wish: { replicas: 3 } }, { "ordinal.dev/replicas": "3" }],
])("%s: every server is sent what the plan says", async (_, replicas, asked, annotations) => {
  const world = await settled(replicas);
  const plan = await foreseen(world, asked);
  const sent = listen(world);
  world.annotate(annotations);
  await world.settle();
  expect(Object.fromEntries(sent)).toEqual(Object.fromEntries(plan));
  void ROOT_PASSWORD;
});
