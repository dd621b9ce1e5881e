/** A look that rests on what a resident host remembers (ADR 3), and what may come of it. */
import { beforeEach, expect, test } from "vitest";
import { type ClusterMemory, reconcile } from "../../shared/reconcile/index.ts";
import type { SimCall } from "./kube/api-server.ts";
import { modelOf } from "./kube/watching.ts";
import { REF } from "./ref.ts";
import { createWorld, type World } from "./world.ts";

const POD = { namespace: REF.namespace, name: `${REF.name}-1` };
const LABEL = "ordinal.dev/role";

let world: World;

/** A pass with what the one before it remembers: what it asked of the API server, and what is remembered after it. */
async function pass(
  memory: ClusterMemory | null,
): Promise<{ calls: readonly string[]; memory: ClusterMemory | null }> {
  const before = world.sim.calls.length;
  const { context } = world.start({});
  const request = { ref: REF, cause: "sweep", entry: null, memory };
  const result = await world.clock.run(reconcile(context, request));
  const call = ({ verb, kind }: SimCall) => `${verb} ${kind}`;
  return { calls: world.sim.calls.slice(before).map(call), memory: result.memory };
}

function roleOf(): string | undefined {
  return modelOf("Pod", world.sim.raw("Pod", POD) ?? {}).labels[LABEL];
}

function looksBeforeAct(calls: readonly string[]): number {
  return calls.slice(0, calls.indexOf("patch Pod")).filter((call) => call === "list Pod").length;
}

let remembered: ClusterMemory | null;

beforeEach(async () => {
  world = createWorld({ members: [{}, {}, {}] });
  await world.settle();
  remembered = (await pass(null)).memory;
});

test("one that finds all in order reads the StatefulSet and its pods", async () => {
  expect((await pass(remembered)).calls).toEqual(["read StatefulSet", "list Pod"]);
});

test("what is found is acted upon at once where all that was remembered is found unchanged", async () => {
  world.sim.put("Pod", POD, { metadata: { labels: { [LABEL]: null } } });
  const { calls } = await pass(remembered);
  expect(looksBeforeAct(calls)).toBe(1);
  expect(calls.slice(0, calls.indexOf("patch Pod"))).toContain("list PersistentVolumeClaim");
  expect(roleOf()).toBe("replica");
});

test("all is looked at anew where something else differs from what was remembered, its version alone included", async () => {
  world.sim.put("Pod", POD, { metadata: { labels: { [LABEL]: null } } });
  world.sim.put(
    "Service",
    { ...POD, name: `${REF.name}-primary` },
    { metadata: { annotations: { a: "b" } } },
  );
  expect(looksBeforeAct((await pass(remembered)).calls)).toBe(2);
  expect(roleOf()).toBe("replica");
});

test("all is looked at anew where what was remembered cannot be read", async () => {
  world.sim.put("Pod", POD, { metadata: { labels: { [LABEL]: null } } });
  let failures = 1;
  world.sim.setFaults(({ kind }) => {
    if (kind !== "PersistentVolumeClaim" || failures === 0) return {};
    failures -= 1;
    return { before: { kind: "transient", message: "away" } };
  });
  expect(looksBeforeAct((await pass(remembered)).calls)).toBe(2);
  expect(roleOf()).toBe("replica");
});
