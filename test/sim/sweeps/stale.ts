/**
 * S2: reads that are old. A list may be as it was some commits ago (a read of one object is a quorum read and
 * never is), and what a server said of itself may be what it had said some looks ago.
 */
import { mysql } from "../../../shared/engines/mysql/index.ts";
import type { ServerFacts } from "../../../shared/model/server.ts";
import type { Engine } from "../../../shared/ports/engine.ts";
import { endState } from "../end-state.ts";
import type { Workflow } from "../workflows.ts";
import { disturbed, SEED, type Sweep, type SweepResult } from "./sweep.ts";

const VERSIONS_MAX = 8;
const LOOKS_MAX = 3;

/** Shipped observation, whose look number `at` is answered with what the same server said `back` looks before. */
function forgetful(at: number, back: number): { readonly engine: Engine; looks(): number } {
  const said = new Map<unknown, ServerFacts[]>();
  let looks = 0;
  const engine: Engine = {
    ...mysql,
    async observe(server, options) {
      looks += 1;
      const now = looks;
      const fresh = await mysql.observe(server, options);
      if (!fresh.ok) return fresh;
      const key = fresh.value.serverUuid;
      const earlier = said.get(key) ?? [];
      said.set(key, [...earlier, fresh.value]);
      const old = now === at ? earlier.at(-back) : undefined;
      return old === undefined ? fresh : { ok: true, value: old };
    },
  };
  return { engine, looks: () => looks };
}

async function run(workflow: Workflow, nightly: boolean): Promise<SweepResult> {
  const world = await workflow.due(SEED);
  const before = world.sim.calls.length;
  const counting = forgetful(0, 0);
  await world.settle(() => ({ engine: counting.engine }));
  const lists = world.sim.calls.slice(before).filter(({ verb }) => verb === "list").length;
  const looks = counting.looks();
  const end = await endState(world);
  const violations: string[] = [];
  let runs = 0;
  const every = nightly ? 1 : 3;

  async function check(what: string, disturb: Parameters<typeof disturbed>[2]): Promise<void> {
    runs += 1;
    const wrong = await disturbed(workflow, end, disturb);
    if (wrong !== null) violations.push(`${workflow.name}: ${what}: ${wrong}`);
  }

  for (let at = 1; at <= lists; at += 1) {
    for (let staleBy = 1 + (at % every); staleBy <= VERSIONS_MAX; staleBy += every) {
      await check(`list ${at} as it was ${staleBy} commits before`, async (each) => {
        let seen = 0;
        each.sim.setFaults(({ verb }) => {
          if (verb !== "list") return {};
          seen += 1;
          return seen === at ? { staleBy } : {};
        });
        await each.settle();
        each.sim.setFaults(() => ({}));
      });
    }
  }
  for (let at = 1; at <= looks; at += 1) {
    for (let back = 1 + (at % every); back <= LOOKS_MAX; back += every) {
      const { engine } = forgetful(at, back);
      await check(`look ${at} at a server as it was ${back} looks before`, async (each) => {
        await each.settle(() => ({ engine }));
      });
    }
  }
  const covered = [`${workflow.name}: ${lists} lists, ${looks} looks at servers`];
  return { runs, points: lists + looks, covered, violations };
}

export const stale: Sweep = { title: "every old read", run };
