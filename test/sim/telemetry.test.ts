/** What passes tell of themselves, on a simulated cluster that is adopted: where time went, and nothing that is anybody's secret. */
import { expect, test } from "vitest";
import { createTelemetry, type Post } from "../../shared/hosts/telemetry/telemetry.ts";
import { reconcile } from "../../shared/reconcile/index.ts";
import { recordedState } from "./end-state.ts";
import { REF } from "./ref.ts";
import { createWorld } from "./world.ts";

interface Sent {
  readonly url: string;
  readonly body: string;
}
interface Shown {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[];
  readonly status: { readonly code: number };
}

const settings = {
  tracesUrl: new URL("http://127.0.0.1:4318/v1/traces"),
  metricsUrl: new URL("http://127.0.0.1:4318/v1/metrics"),
  headers: {},
  resource: { "service.name": "ordinal" },
};

/** A world in which passes are made until nothing is to be done any more, and all that was sent. */
async function adopted(answer: (url: URL) => ReturnType<Post>) {
  const world = createWorld({ members: [{ tables: ["shop.orders"], rows: 3 }, {}, {}] });
  const [sent, said]: [Sent[], string[]] = [[], []];
  const post: Post = (url, body) => {
    sent.push({ url: url.pathname, body });
    return answer(url);
  };
  const note = (message: string) => void said.push(message);
  const telemetry = createTelemetry({ settings, clock: world.clock, log: { info: note, warn: note }, post });
  const make = telemetry.around(reconcile);
  let passes = 0;
  for (let outcome = ""; outcome !== "settled"; passes += 1) {
    const { context } = world.start({});
    const request = { ref: REF, cause: "test", entry: null, memory: null };
    ({ outcome } = await world.clock.run(make(context, request)));
    await world.clock.pass(1_000);
    expect(passes).toBeLessThan(100);
  }
  return { world, telemetry, make, sent, said, passes };
}

const spansIn = (sent: readonly Sent[]): readonly Shown[] =>
  sent
    .filter(({ url }) => url === "/v1/traces")
    .flatMap(({ body }) => JSON.parse(body).resourceSpans[0].scopeSpans[0].spans);
const field = ({ attributes }: Shown, key: string) =>
  Object.values(attributes.find((one) => one.key === key)?.value ?? {})[0];

interface Point {
  readonly count?: string;
  readonly asInt?: string;
  readonly bucketCounts?: readonly string[];
}
const pointsIn = (sent: readonly Sent[], name: string): readonly Point[] =>
  sent
    .filter(({ url }) => url === "/v1/metrics")
    .flatMap(({ body }) => JSON.parse(body).resourceMetrics[0].scopeMetrics[0].metrics)
    .filter((metric) => metric.name === name)
    .flatMap(({ sum, histogram }) => (sum ?? histogram).dataPoints);

test("a pass is a trace: its looks, its decisions and its steps, with what came of each", async () => {
  const { world, telemetry, sent, said, passes } = await adopted(() => Promise.resolve(200));
  await telemetry.flush();
  expect(recordedState(world)).toMatchObject({ phase: "Steady", epoch: 1 });
  const spans = spansIn(sent);
  const roots = spans.filter(({ name }) => name === "pass");
  expect(roots.length).toBeGreaterThan(0);
  for (const root of roots) {
    expect([root.parentSpanId, field(root, "k8s.statefulset.name")]).toEqual([undefined, "mysql"]);
    const parts = spans.filter(({ parentSpanId }) => parentSpanId === root.spanId);
    expect(parts.map(({ name }) => name)).toEqual(expect.arrayContaining(["observe", "decide"]));
    for (const part of parts) {
      expect(part.traceId).toBe(root.traceId);
      expect(BigInt(part.startTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(root.startTimeUnixNano));
      expect(BigInt(part.endTimeUnixNano)).toBeLessThanOrEqual(BigInt(root.endTimeUnixNano));
    }
  }
  expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(spans.length);
  const steps = spans.filter(({ name }) => name === "step");
  expect(steps.map((step) => field(step, "ordinal.step"))).toEqual(
    expect.arrayContaining(["Record", "Seed", "Arm"]),
  );
  for (const step of steps) expect(step.status.code).toBe(field(step, "ordinal.outcome") === "ok" ? 0 : 2);
  const total = (points: readonly Point[]) =>
    points.reduce((sum, { count, asInt }) => sum + Number(count ?? asInt), 0);
  expect(total(pointsIn(sent, "ordinal.pass.duration"))).toBe(passes);
  expect(total(pointsIn(sent, "ordinal.steps"))).toBe(steps.length);
  expect(total(pointsIn(sent, "ordinal.api.calls"))).toBeGreaterThan(steps.length);
  for (const { count, bucketCounts = [] } of pointsIn(sent, "ordinal.pass.duration"))
    expect(String(bucketCounts.map(Number).reduce((sum, one) => sum + one, 0))).toBe(count);
  expect(said).toEqual([]);
});

test("nothing of passwords, statements and data is told, and a quiet look is no trace", async () => {
  const { world, telemetry, make, sent } = await adopted(() => Promise.resolve(200));
  await telemetry.flush();
  const all = sent.map(({ body }) => body).join("\n");
  expect(
    all.match(
      /passw\w+|x{4}|\b(?:SELECT|SET|GRANT|CREATE|CLONE|CHANGE)\b|orders|row-\d|[0-9a-f]{8}-[0-9a-f]{4}-/g,
    ),
  ).toBeNull();
  const traces = spansIn(sent).length;
  const { context } = world.start({});
  const request = { ref: REF, cause: "test", entry: null, memory: null };
  expect((await world.clock.run(make(context, request))).outcome).toBe("settled");
  await telemetry.flush();
  expect(spansIn(sent)).toHaveLength(traces);
});

test("a place that never answers holds up no pass, costs one line of the log, and a bounded memory", async () => {
  const { world, said, sent, passes, make } = await adopted(() => new Promise(() => {}));
  expect(recordedState(world)).toMatchObject({ phase: "Steady", epoch: 1 });
  expect(passes).toBeGreaterThan(0);
  // The first request is still waited for; everything else waits behind it.
  expect(sent.map(({ url }) => url).toSorted()).toEqual(["/v1/metrics", "/v1/traces"]);
  expect(said).toEqual([]);
  await world.clock.run(
    make(world.start({}).context, { ref: REF, cause: "test", entry: null, memory: null }),
  );
  expect(sent).toHaveLength(2);
});

test("a place that refuses is told of once, and once when it takes again", async () => {
  let status: number | null = null;
  const { world, said, make, telemetry } = await adopted(() => Promise.resolve(status));
  await telemetry.flush();
  const dropped = "traces and metrics of passes are not taken, and are dropped until they are";
  expect(said).toEqual([dropped]);
  status = 200;
  const request = { ref: REF, cause: "test", entry: null, memory: null };
  await world.clock.run(make(world.start({}).context, request));
  await telemetry.flush();
  expect(said).toEqual([dropped, "traces and metrics of passes are taken again"]);
});

test("a pass that is broken off by a bug is told of as such, and its error goes on", async () => {
  const { world, telemetry, sent } = await adopted(() => Promise.resolve(200));
  const make = telemetry.around(() => Promise.reject(new Error("a bug")));
  const request = { ref: REF, cause: "test", entry: null, memory: null };
  await expect(make(world.start({}).context, request)).rejects.toThrow("a bug");
  await telemetry.flush();
  const last = spansIn(sent).at(-1);
  expect(last && [last.name, field(last, "ordinal.outcome"), last.status.code]).toEqual(["pass", "bug", 2]);
});
