/** Watches on a server that does everything wrong that a server, or the way to it, can do. */
import type { ServerResponse } from "node:http";
import { expect, test } from "vitest";
import {
  answerJson,
  type FakeOptions,
  type FakeServer,
  listJson,
  secretJson,
  startFake,
} from "./fake-server.ts";

type Step = (response: ServerResponse) => void;

interface Run {
  readonly fake: FakeServer;
  readonly events: readonly string[];
  readonly watch: { close(): void; readonly synced: Promise<void> };
  /** What was asked so far: `list`, or `watch` with the version it goes on from. */
  asked(): readonly string[];
}

/** Answers one request after the other as the steps say; after the last step everything stays silent. */
async function start(steps: readonly Step[], options: FakeOptions = {}): Promise<Run> {
  const fake = await startFake((_, response, number) => steps[number - 1]?.(response), options);
  const events: string[] = [];
  const watch = fake.handle.watches.watch(
    "Secret",
    { namespace: "shop", labels: { a: "1" } },
    (type, object) => {
      events.push(`${type} ${object.name}@${object.resourceVersion}`);
      if (object.name === "bomb") throw new Error("as a test");
    },
  );
  const asked = (): string[] =>
    fake.requests.map(({ query }) => (query.has("watch") ? `watch ${query.get("resourceVersion")}` : "list"));
  return { fake, events, watch, asked };
}

function list(version: number, ...objects: readonly unknown[]): Step {
  return (response) => answerJson(response, 200, listJson(version, objects));
}

/** Sends events and leaves the stream open, or ends it. */
function stream(ending: "end" | "cut" | "open", ...events: readonly (readonly [string, unknown])[]): Step {
  return (response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    for (const [type, object] of events) response.write(`${JSON.stringify({ type, object })}\n`);
    if (ending === "end") response.end();
    if (ending === "cut") setTimeout(() => response.destroy(), 20);
  };
}

const a = (version: number): unknown => secretJson("a", version);
const b = (version: number): unknown => secretJson("b", version);
const bookmark = (version: number): unknown => ({ metadata: { resourceVersion: String(version) } });
const expired = { kind: "Status", code: 410, reason: "Expired", message: "too old" };

async function asks(run: Run, ...expected: readonly string[]): Promise<void> {
  await expect.poll(() => run.asked(), { interval: 5, timeout: 4000 }).toEqual(expected);
}

test("it lists, then watches from there with bookmarks", async () => {
  const changes = stream("open", ["MODIFIED", a(11)], ["ADDED", b(12)], ["DELETED", a(13)]);
  const run = await start([list(10, a(5)), changes]);
  await run.watch.synced;
  expect(run.events).toEqual(["add a@5"]);
  await expect.poll(() => run.events.length, { timeout: 4000 }).toBe(4);
  expect(run.events).toEqual(["add a@5", "update a@11", "add b@12", "delete a@13"]);
  const { path, query } = run.fake.requests[1] ?? {};
  expect(path).toBe("/api/v1/namespaces/shop/secrets");
  expect(Object.fromEntries(query ?? [])).toEqual({
    watch: "true",
    allowWatchBookmarks: "true",
    labelSelector: "a=1",
    resourceVersion: "10",
    timeoutSeconds: "290",
  });
});

test("it goes on from the last event or bookmark, however the stream ended", async () => {
  const run = await start([
    list(10),
    stream("end", ["ADDED", a(11)]),
    stream("cut", ["BOOKMARK", bookmark(20)]),
    stream("open"),
  ]);
  await asks(run, "list", "watch 10", "watch 11", "watch 20");
  expect(run.events).toEqual(["add a@11"]);
});

test("when its place is forgotten it lists and finds what it has missed", async () => {
  const gone: Step = (response) => answerJson(response, 410, expired);
  const run = await start([
    list(10, a(5), b(6)),
    stream("open", ["ERROR", expired]),
    list(30, a(25)),
    gone,
    list(40, a(25), b(35)),
    stream("open"),
  ]);
  await asks(run, "list", "watch 10", "list", "watch 30", "list", "watch 40");
  expect(run.events).toEqual(["add a@5", "add b@6", "delete b@6", "update a@25", "add b@35"]);
  expect(run.fake.warnings[0]).toContain("Expired (HTTP 410)");
});

test("any other error of the stream, and a line that is no event, also end in a list", async () => {
  const nonsense: Step = (response) => response.writeHead(200).write("<html>\n");
  const run = await start([
    list(10),
    stream("open", ["ERROR", { code: 500, message: "storage is broken" }]),
    list(20),
    nonsense,
    list(30),
    stream("open"),
  ]);
  await asks(run, "list", "watch 10", "list", "watch 20", "list", "watch 30");
});

test("nothing is synced before a list succeeds, and failures are outlived", async () => {
  const broken: Step = (response) => answerJson(response, 503, { message: "starting" });
  const forbidden: Step = (response) => answerJson(response, 403, { message: "no" });
  const hangUp: Step = (response) => response.destroy();
  const run = await start([broken, forbidden, hangUp, list(10, a(5)), broken, stream("open")]);
  await run.watch.synced;
  expect(run.asked().slice(0, 4)).toEqual(["list", "list", "list", "list"]);
  expect(run.events).toEqual(["add a@5"]);
  await asks(run, "list", "list", "list", "list", "watch 10", "watch 10");
});

test("it waits longer and longer while nothing works, and as long as it is told", async () => {
  const at: number[] = [];
  const broken: Step = (response) => {
    at.push(performance.now());
    answerJson(response, 503, {}, at.length === 4 ? { "retry-after": "1" } : {});
  };
  const limits = { backoffMinMs: 40, backoffMaxMs: 160 };
  const run = await start([broken, broken, broken, broken, broken], { limits });
  await expect.poll(() => at.length, { timeout: 4000 }).toBe(5);
  run.watch.close();
  const waits = at.slice(1).map((each, index) => each - (at[index] ?? 0));
  // The jitter takes half at most, and the test's fraction of 0 does: 20, 40, 80, then the server's wish.
  for (const [index, least] of [20, 40, 80, 1000].entries()) expect(waits[index]).toBeGreaterThan(least - 3);
});

test("after a healthy minute it does not wait long again", async () => {
  const at: number[] = [];
  const limits = { backoffMinMs: 10, backoffMaxMs: 10_000 };
  const end: Step = (response) => {
    at.push(performance.now());
    if (at.length === 7) run.fake.skipMs(60_000);
    stream("end")(response);
  };
  const run = await start([list(10), end, end, end, end, end, end, end, end], { limits });
  await expect.poll(() => at.length, { timeout: 4000 }).toBe(8);
  const [before = 0, healthy = 0, after = 0] = at.slice(5);
  expect(healthy - before).toBeGreaterThan(150);
  expect(after - healthy).toBeLessThan(500);
});

test("it lists again after relistMs, and tells the server to end the watch by then", async () => {
  const run = await start([list(10, a(5)), stream("end"), list(20), stream("open")], {
    limits: { relistMs: 1 },
  });
  await asks(run, "list", "watch 10", "list", "watch 20");
  expect(run.fake.requests[1]?.query.get("timeoutSeconds")).toBe("1");
  expect(run.events).toEqual(["add a@5", "delete a@5"]);
});

test("a silent connection is given up", async () => {
  const run = await start([list(10), stream("open", ["ADDED", a(11)]), stream("open")], {
    limits: { silenceMs: 300 },
  });
  await asks(run, "list", "watch 10", "watch 11");
  expect(run.fake.warnings[0]).toContain("interrupted");
});

test("a callback that throws is logged and nothing else", async () => {
  const bomb = secretJson("bomb", 11);
  const run = await start([
    list(10, secretJson("bomb", 4, "u4")),
    stream("open", ["ADDED", bomb], ["ADDED", a(12)]),
  ]);
  await expect.poll(() => run.events.length, { timeout: 4000 }).toBe(3);
  expect(run.asked()).toEqual(["list", "watch 10"]);
  expect(run.fake.warnings).toHaveLength(2);
});

test("an event that cannot be read is left out", async () => {
  const run = await start([list(10), stream("open", ["ADDED", { metadata: {} }], ["ADDED", a(12)])]);
  await expect.poll(() => run.events, { timeout: 4000 }).toEqual(["add a@12"]);
  expect(run.fake.warnings[0]).toContain("left out");
});

test("an event split over many packets is one event", async () => {
  const line = Buffer.from(`${JSON.stringify({ type: "ADDED", object: secretJson("密🔑", 11) })}\n`);
  const drip: Step = (response) => {
    response.writeHead(200);
    const send = (at: number): void => {
      if (at >= line.length) return;
      response.write(line.subarray(at, at + 7), () => setImmediate(send, at + 7));
    };
    send(0);
  };
  const run = await start([list(10), drip]);
  await expect.poll(() => run.events, { timeout: 4000 }).toEqual(["add 密🔑@11"]);
});

test("closing ends it at once: no event, no request, and nobody waits for a list", async () => {
  let response: ServerResponse | undefined;
  const open: Step = (given) => {
    response = given;
    stream("open")(given);
  };
  const run = await start([list(10), open]);
  await asks(run, "list", "watch 10");
  const closed = new Promise((resolve) => response?.once("close", resolve));
  run.watch.close();
  await closed;
  const silent = await start([]);
  await asks(silent, "list");
  silent.fake.handle.close();
  await silent.watch.synced;
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect([run.asked(), silent.asked(), run.events]).toEqual([["list", "watch 10"], ["list"], []]);
});
