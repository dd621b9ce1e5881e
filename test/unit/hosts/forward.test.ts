/** What a forwarding host sends for a cluster that was woken, and what it makes of the answers. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import type { CloudEvent } from "../../../shared/hosts/cloud-event.ts";
import { changeEvent, readEvent } from "../../../shared/hosts/events.ts";
import { react, receive } from "../../../shared/hosts/functions.ts";
import { createForwarder } from "../../../shared/hosts/local/forward.ts";
import { systemClock } from "../../../shared/hosts/local/platform.ts";
import { whyNotSigned } from "../../../shared/hosts/signature.ts";
import { freePort } from "../../support/free-port.ts";
import { EVENT_FUNCTIONS } from "./functions.ts";

const SECRET = "0123456789abcdef0123456789abcdef";
const REF = { namespace: "shop", name: "mysql" };
const REQUEST = { ref: REF, cause: "test", entry: null, memory: null };
const WAITING = { passes: [{ ...REF, outcome: "waiting", lookAgainMs: 1_500 }], status: "accepted" };

/** Answers with this; what was sent is kept if it is signed, and is an event that wakes the cluster. */
async function place(status: number, answer: unknown) {
  const paths: string[] = [];
  const server = createServer((incoming, response) => {
    void text(incoming).then((body) => {
      const path = incoming.url ?? "";
      const message = { path, headers: incoming.headers, body };
      const why = whyNotSigned(SECRET, message, Date.now());
      const { reaction } = receive(EVENT_FUNCTIONS, message);
      if (why === null && reaction.wakes[0]?.ref.name === REF.name) paths.push(path);
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answer));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/stage`);
  return {
    ...{ paths, url },
    forwarder: createForwarder({ url, secret: SECRET, functions: EVENT_FUNCTIONS, clock: systemClock }),
  };
}

function noted(change: "update" | "delete"): Parameters<ReturnType<typeof createForwarder>["note"]> {
  const object = { namespace: "shop", name: "mysql-0", uid: "u", resourceVersion: "5", labels: {} };
  const event: CloudEvent = changeEvent(change, "Pod", object, 0);
  const read = readEvent(event);
  return [event, react(EVENT_FUNCTIONS, read.ok ? [read.value] : [])];
}

test("the event that woke the cluster goes to the function that takes it, signed, and the urgent one of several", async () => {
  const { forwarder, paths } = await place(202, WAITING);
  forwarder.note(...noted("update"));
  expect(await forwarder.pass(REQUEST)).toMatchObject({ ref: REF, outcome: "waiting", lookAgainMs: 1_500 });
  forwarder.note(...noted("delete"));
  forwarder.note(...noted("update"));
  await forwarder.pass(REQUEST);
  // Nothing but a sweep has woken it.
  await forwarder.pass(REQUEST);
  expect(paths).toEqual([
    "/stage/events/pod-ready",
    "/stage/events/pod-failure",
    "/stage/events/cluster-changed",
  ]);
});

test("an event that nobody takes there settles its cluster", async () => {
  const { forwarder } = await place(202, { status: "ignored" });
  expect(await forwarder.pass(REQUEST)).toMatchObject({ outcome: "settled", lookAgainMs: null });
});

test.each<[string, number, unknown]>([
  ["503", 503, {}],
  ["401", 401, {}],
  ["a redirect", 302, {}],
  ["an answer of something else", 200, { hello: "world" }],
  ["an answer that is no JSON object", 202, "hello"],
])("%s is a failed pass, which is repeated", async (_, status, answer) => {
  const { forwarder, paths } = await place(status, answer);
  const result = await forwarder.pass(REQUEST);
  expect(result).toMatchObject({ outcome: "failed", message: expect.stringContaining("127.0.0.1") });
  expect(paths).toHaveLength(1);
});

test("so is nobody who answers", async () => {
  const url = new URL(`http://127.0.0.1:${await freePort()}`);
  const forwarder = createForwarder({
    ...{ url, secret: SECRET, functions: EVENT_FUNCTIONS, clock: systemClock },
  });
  expect(await forwarder.pass(REQUEST)).toMatchObject({
    outcome: "failed",
    message: expect.stringContaining("ECONNREFUSED"),
  });
});
