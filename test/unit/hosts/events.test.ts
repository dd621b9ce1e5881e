/** What comes in over HTTP: real events are understood, everything else is answered and changes nothing. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { HttpMessage } from "../../../shared/hosts/cloud-event.ts";
import { backupCronEvent, changeEvent, readEvent, sweepEvent } from "../../../shared/hosts/events.ts";
import { NOTHING, react, receive } from "../../../shared/hosts/functions.ts";
import { EVENT_FUNCTIONS } from "./functions.ts";

const fixtures = join(import.meta.dirname, "fixtures");
const recorded = join(import.meta.dirname, "../../../../shared/data/knative-events");

function fixture(name: string): HttpMessage {
  return JSON.parse(readFileSync(join(fixtures, name), "utf8"));
}

function wakesOf(message: HttpMessage): string[] {
  const { status, reaction } = receive(EVENT_FUNCTIONS, message);
  expect(status).toBe(202);
  const wakes = reaction.wakes.map(({ ref, priority }) => `${ref.namespace}/${ref.name} ${priority}`);
  return reaction.sweep ? [...wakes, "sweep"] : wakes;
}

test.each([
  ["reference-pod-delete.json", ["shop/mysql high"]],
  ["resource-pod-failed.json", ["shop/orders high"]],
  ["ping-empty.json", ["sweep"]],
])("the sample %s wakes %j", (name, wakes) => {
  expect(wakesOf(fixture(name))).toEqual(wakes);
});

/** Recorded from the real adapters; the parts of a file's name say what must come of it. */
describe.skipIf(!existsSync(recorded))(
  "events recorded from Knative (skipped where they are not kept)",
  () => {
    const files = existsSync(recorded) ? readdirSync(recorded).filter((name) => name.endsWith(".json")) : [];

    function expected(file: string, terminated: boolean): string[] {
      if (file.startsWith("pingsource")) return ["sweep"];
      const urgent = file.includes("-pod-delete") || (file.includes("resource-pod") && terminated);
      return [`kn-src/db ${urgent ? "high" : "normal"}`];
    }

    test.each(files)("%s", (file) => {
      const sample = JSON.parse(readFileSync(join(recorded, file), "utf8"));
      const body = typeof sample.body === "string" ? sample.body : JSON.stringify(sample.body);
      const failing = body.includes('"terminated"') || body.includes('"status":"False","type":"Ready"');
      expect(wakesOf({ headers: sample.headers, body })).toEqual(expected(file, failing));
    });
  },
);

const head = {
  "ce-specversion": "1.0",
  "ce-id": "1",
  "ce-source": "/test",
  "content-type": "application/json",
};
const podAdd = "dev.knative.apiserver.ref.add";
const pod = JSON.stringify({ kind: "Pod", namespace: "shop", name: "mysql-0", apiVersion: "v1" });
const structured = {
  specversion: "1.0",
  id: "1",
  source: "/test",
  type: podAdd,
  datacontenttype: "application/json",
  data: JSON.parse(pod),
};

function binary(type: string, body: string): HttpMessage {
  return { headers: { ...head, "ce-type": type }, body };
}

function json(contentType: string, value: unknown): HttpMessage {
  return { headers: { "Content-Type": contentType }, body: JSON.stringify(value) };
}

describe("every way to send an event", () => {
  test.each<[string, HttpMessage]>([
    ["binary", binary(podAdd, pod)],
    [
      "binary with a character set",
      {
        ...binary(podAdd, pod),
        headers: { ...head, "ce-type": podAdd, "content-type": "application/json; charset=UTF-8" },
      },
    ],
    [
      "binary with header names in capitals",
      {
        headers: {
          "CE-SpecVersion": "1.0",
          "CE-Id": "1",
          "CE-Source": "/t",
          "CE-Type": podAdd,
          "Content-Type": "application/json",
        },
        body: pod,
      },
    ],
    ["structured", json("application/cloudevents+json", structured)],
    ["structured with a character set", json("application/cloudevents+json; charset=UTF-8", structured)],
    [
      "structured as text that is JSON all the same",
      {
        headers: { "content-type": 'application/cloudevents+json;charset="utf-8"' },
        body: JSON.stringify(structured, null, 2),
      },
    ],
    [
      "with attributes that nobody knows",
      {
        ...binary(podAdd, pod),
        headers: {
          ...head,
          "ce-type": podAdd,
          "ce-kind": "Pod",
          "kn-namespace": "shop",
          "ce-subject": "/a%20b",
        },
      },
    ],
  ])("%s", (_name, message) => {
    expect(wakesOf(message)).toEqual(["shop/mysql normal"]);
  });
});

describe("a tick of a PingSource, which has neither subject nor, without data, a body and its type", () => {
  const ping = {
    "ce-specversion": "1.0",
    "ce-id": "1",
    "ce-source": "/apis/v1/namespaces/shop/pingsources/sweep",
  };
  test.each<[string, HttpMessage]>([
    ["without data", { headers: { ...ping, "ce-type": "dev.knative.sources.ping" }, body: "" }],
    [
      "with data",
      {
        headers: { ...ping, "ce-type": "dev.knative.sources.ping", "content-type": "application/json" },
        body: '{"a":1}',
      },
    ],
    [
      "with a text as data",
      {
        headers: { ...ping, "ce-type": "dev.knative.sources.ping", "content-type": "text/plain" },
        body: "tick",
      },
    ],
  ])("%s", (_name, message) => {
    const { status, reaction } = receive(EVENT_FUNCTIONS, message);
    expect([status, reaction]).toEqual([202, { wakes: [], sweep: true, backups: true, archives: true }]);
  });
});

describe("garbage is refused with 400, and never with an exception", () => {
  const deep = `${"[".repeat(200_000)}${"]".repeat(200_000)}`;
  test.each<[string, HttpMessage]>([
    ["nothing at all", { headers: {}, body: "" }],
    ["a form", { headers: { "content-type": "application/x-www-form-urlencoded" }, body: "a=b" }],
    ["no type", { headers: head, body: pod }],
    ["no id", { headers: { ...head, "ce-id": undefined, "ce-type": podAdd }, body: pod }],
    ["another version", { headers: { ...head, "ce-specversion": "2.0", "ce-type": podAdd }, body: pod }],
    ["half of a body", binary(podAdd, pod.slice(0, 20))],
    ["no body", binary(podAdd, "")],
    ["a list as body", binary(podAdd, "[]")],
    ["a number as body", binary(podAdd, "42")],
    ["a name that is no name", binary(podAdd, pod.replace("mysql-0", "../secrets/x"))],
    ["a name that is too long", binary(podAdd, pod.replace("mysql-0", "m".repeat(254)))],
    ["a namespace with a dot", binary(podAdd, pod.replace("shop", "a.b"))],
    ["a namespace that is a number", binary(podAdd, pod.replace('"shop"', "7"))],
    ["a body of nests", binary(podAdd, deep)],
    ["a body that is too long", binary(podAdd, " ".repeat(2 * 1024 * 1024 + 1))],
    ["a resource event without metadata", binary("dev.knative.apiserver.resource.add", pod)],
    ["structured without an id", json("application/cloudevents+json", { ...structured, id: undefined })],
    ["structured null", json("application/cloudevents+json", null)],
    ["structured text", { headers: { "content-type": "application/cloudevents+json" }, body: "hello" }],
    [
      "an attribute with a capital letter",
      json("application/cloudevents+json", { ...structured, someName: "x" }),
    ],
    ["a batch", json("application/cloudevents-batch+json", [structured])],
    ["a batch of nothing", json("application/cloudevents-batch+json", [])],
    ["a batch with a character set", json("Application/CloudEvents-Batch+JSON; charset=utf-8", [structured])],
  ])("%s", (_name, message) => {
    const { status, reaction, message: reason } = receive(EVENT_FUNCTIONS, message);
    expect(status).toBe(400);
    expect(reaction).toEqual({ wakes: [], sweep: false, backups: false, archives: false });
    expect(reason.length).toBeGreaterThan(10);
    expect(reason.length).toBeLessThan(300);
  });

  test("keys of the prototype stay keys", () => {
    const body = JSON.stringify(structured).replace(
      "{",
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},',
    );
    receive(EVENT_FUNCTIONS, { headers: { "content-type": "application/cloudevents+json" }, body });
    expect(Reflect.get({}, "polluted")).toBeUndefined();
  });
});

describe("what no function accepts is accepted and ignored", () => {
  test.each<[string, HttpMessage]>([
    ["another type", binary("com.example.order.created", pod)],
    ["a type that starts like ours", binary(`${podAdd}.more`, pod)],
    ["another kind", binary(podAdd, pod.replace("Pod", "ConfigMap"))],
    ["a Pod that is not of a StatefulSet", binary(podAdd, pod.replace("mysql-0", "web-7d4b9c-x2x5z"))],
    ["a Pod whose ordinal has a zero before it", binary(podAdd, pod.replace("mysql-0", "mysql-01"))],
    ["somebody else's Service", binary("dev.knative.apiserver.ref.update", pod.replace("Pod", "Service"))],
  ])("%s", (_name, message) => {
    const reception = receive(EVENT_FUNCTIONS, message);
    expect(reception).toEqual({ status: 202, message: "ignored", reaction: NOTHING, requests: [] });
  });
});

describe("the trace in which an event was made or sent", () => {
  const made = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", state: null };
  const sent = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7", state: "a=b" };
  const parentOf = ({ traceId, spanId }: typeof made) => `00-${traceId}-${spanId}-01`;
  const header = { traceparent: parentOf(sent as never), tracestate: "a=b" };
  const attribute = { "ce-traceparent": parentOf(made) };
  const event = binary(podAdd, pod);
  const withHeaders = (more: HttpMessage["headers"]): HttpMessage => ({
    ...event,
    headers: { ...event.headers, ...more },
  });
  const asJson = { ...structured, traceparent: parentOf(made), tracestate: "not one" };

  test.each<[string, HttpMessage, readonly object[] | undefined]>([
    ["is nowhere", event, undefined],
    ["is told by its attribute", withHeaders(attribute), [made]],
    ["is told by the header of its request", withHeaders(header), [sent]],
    ["is that in which it was made, where both are there", withHeaders({ ...header, ...attribute }), [made]],
    [
      "is that of the request, where the attribute is none",
      withHeaders({ ...header, "ce-traceparent": "00-x" }),
      [sent],
    ],
    [
      "is nowhere, where both are none",
      withHeaders({ traceparent: "00-x", "ce-traceparent": "00-x" }),
      undefined,
    ],
    ["is an attribute in JSON as well", json("application/cloudevents+json", asJson), [made]],
  ])("%s", (_, message, origins) => {
    const { status, reaction } = receive(EVENT_FUNCTIONS, message);
    expect([status, reaction.wakes.map((wake) => wake.origins)]).toEqual([202, [origins]]);
  });
});

test("nothing of a body but kind and name reaches a wake", () => {
  const forged = {
    kind: "StatefulSet",
    apiVersion: "apps/v1",
    metadata: { name: "mysql", namespace: "shop", uid: "forged", annotations: { "ordinal.dev/state": "{}" } },
    spec: { replicas: 0 },
  };
  const { reaction } = receive(
    EVENT_FUNCTIONS,
    binary("dev.knative.apiserver.resource.update", JSON.stringify(forged)),
  );
  expect(reaction.wakes).toEqual([
    { ref: { namespace: "shop", name: "mysql" }, cause: "StatefulSet mysql update", priority: "normal" },
  ]);
});

describe("a Pod's status in Resource mode only raises the priority", () => {
  const running = { name: "mysql", state: { running: {} } };
  const ready = { type: "Ready", status: "True" };
  test.each<[string, unknown, string]>([
    ["running and ready", { phase: "Running", conditions: [ready], containerStatuses: [running] }, "normal"],
    ["starting", { phase: "Pending" }, "normal"],
    ["a status that is no status", "broken", "normal"],
    ["no status", undefined, "normal"],
    ["not ready", { conditions: [{ type: "Ready", status: "False" }], containerStatuses: [running] }, "high"],
    [
      "one container ended",
      { containerStatuses: [running, { state: { terminated: { exitCode: 0 } } }] },
      "high",
    ],
    ["all failed", { phase: "Failed" }, "high"],
  ])("%s", (_name, status, priority) => {
    const body = JSON.stringify({ kind: "Pod", metadata: { name: "mysql-0", namespace: "shop" }, status });
    expect(wakesOf(binary("dev.knative.apiserver.resource.update", body))).toEqual([
      `shop/mysql ${priority}`,
    ]);
  });
});

test("what the local host emits is read like what Knative sends", () => {
  const object = { namespace: "shop", name: "mysql-0", uid: "u", resourceVersion: "5", labels: {} };
  const event = changeEvent("delete", "Pod", object, 0);
  expect(event).toMatchObject({
    id: "u.5.delete",
    subject: "/apis/v1/namespaces/shop/pods/mysql-0",
    kind: "Pod",
  });
  const read = [event, sweepEvent(1000), backupCronEvent(1000)].map((each) => readEvent(each));
  expect(read.every(({ ok }) => ok)).toBe(true);
  const reaction = react(
    EVENT_FUNCTIONS,
    read.flatMap((each) => (each.ok ? [each.value] : [])),
  );
  expect(reaction).toMatchObject({
    sweep: true,
    backups: true,
    wakes: [{ ref: { namespace: "shop", name: "mysql" }, priority: "high" }],
  });
});

describe("a Job", () => {
  const OURS = { "app.kubernetes.io/managed-by": "ordinal", "app.kubernetes.io/instance": "mysql" };
  const CUT = "a-very-long-name-f00dcafe-proof-20261123030000-20261123030500";
  const object = { namespace: "shop", uid: "u", resourceVersion: "5" };
  const job = (name: string, labels: Readonly<Record<string, string>>): string[] => {
    const read = readEvent(changeEvent("update", "Job", { ...object, name, labels }, 0));
    return react(EVENT_FUNCTIONS, read.ok ? [read.value] : []).wakes.map(({ ref }) => ref.name);
  };

  test("wakes the cluster that its label names, however little of that is in its own name", () => {
    expect(job(CUT, OURS)).toEqual(["mysql"]);
    expect(changeEvent("update", "Job", { ...object, name: "x", labels: OURS }, 0)).toMatchObject({
      type: "dev.knative.apiserver.resource.update",
      subject: "/apis/batch/v1/namespaces/shop/jobs/x",
    });
  });

  test.each<[string, Readonly<Record<string, string>>]>([
    ["without labels", {}],
    ["with those of another program", { ...OURS, "app.kubernetes.io/managed-by": "Helm" }],
    ["with one that is no name", { ...OURS, "app.kubernetes.io/instance": "../etc" }],
  ])("%s is known by its name, or not at all", (_, labels) => {
    expect(job("mysql-backup-20261123030000-1", labels)).toEqual(["mysql"]);
    expect(job("db-2-proof-20261123030000-20261123030500", labels)).toEqual(["db-2"]);
    expect(job("mysql-backup-of-my-own", labels)).toEqual([]);
  });

  test("in Reference mode wakes by its name, and also when it is gone", () => {
    const body = JSON.stringify({ kind: "Job", namespace: "shop", name: "mysql-backup-20261123030000-1" });
    for (const change of ["update", "delete"])
      expect(wakesOf(binary(`dev.knative.apiserver.ref.${change}`, body))).toEqual(["shop/mysql normal"]);
    expect(wakesOf(binary("dev.knative.apiserver.ref.add", body))).toEqual([]);
  });
});
