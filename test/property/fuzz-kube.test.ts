/**
 * Parsers of what the API server sends and of what people type, with valid examples that are damaged and with noise, in
 * pieces of any size: a failure, a new list or an exit code, and never an exception.
 */
import { Readable } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import { answerFailure } from "../../shared/adapters/kube/failures.ts";
import { KINDS, pathOf } from "../../shared/adapters/kube/kinds.ts";
import { linesOf } from "../../shared/adapters/kube/lines.ts";
import { objectOf } from "../../shared/adapters/kube/objects.ts";
import type { Transport } from "../../shared/adapters/kube/transport.ts";
import { createWatches } from "../../shared/adapters/kube/watch.ts";
import { run } from "../../shared/cli/program.ts";
import type { Kind, Pod } from "../../shared/model/kube.ts";
import { fail, succeed } from "../../shared/model/outcome.ts";
import { putStatefulSet } from "../sim/kube/actors.ts";
import { createSimKube } from "../sim/kube/api-server.ts";
import { HOSTILE, isName, pollution } from "../support/hostile.ts";
import { inPieces, jsonInput, mutatedText } from "../support/mutations.ts";
import { propertyRuns } from "../support/property-runs.ts";
import { NOWHERE } from "../unit/cli/support.ts";

const RUNS = { numRuns: propertyRuns(2_000, 100_000) };
const TIMEOUT_MS = 900_000;

const sizes = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 6 });
const noise = fc.uint8Array({ maxLength: 120 }).map((bytes) => Buffer.from(bytes));
const anyValue = fc.oneof(
  fc.constantFrom(...HOSTILE.map(({ value }) => value)),
  fc.string({ unit: "binary", maxLength: 40 }),
);

const metadata = {
  namespace: "shop",
  name: "mysql",
  uid: "u",
  resourceVersion: "7",
  labels: { a: "b" },
  annotations: { c: "d" },
};
const OBJECTS: Readonly<Record<Kind, object>> = {
  StatefulSet: {
    metadata: {
      ...metadata,
      managedFields: [{ manager: "m", time: "t", fieldsV1: { "f:spec": { "f:replicas": {} } } }],
    },
    spec: {
      ...{ replicas: 3, selector: { matchLabels: { app: "mysql" } }, serviceName: "mysql" },
      volumeClaimTemplates: [{ metadata: { name: "data" } }],
      template: { spec: { containers: [{ name: "m", image: "i", ports: [{ containerPort: 3306 }] }] } },
    },
  },
  Pod: {
    metadata: { ...metadata, ownerReferences: [{ uid: "o", controller: true }], deletionTimestamp: null },
    status: {
      ...{ podIP: "10.0.0.1", phase: "Running", conditions: [{ type: "Ready", status: "True" }] },
      containerStatuses: [
        {
          name: "m",
          restartCount: 1,
          state: { running: {} },
          lastState: { terminated: { exitCode: 1, startedAt: "x" } },
        },
      ],
    },
  },
  PersistentVolumeClaim: { metadata, status: { phase: "Bound" } },
  Secret: { metadata, data: { password: "c2VjcmV0" } },
  Service: { metadata, spec: { selector: { app: "mysql" } } },
  Job: {
    metadata,
    status: {
      conditions: [
        {
          type: "Failed",
          status: "True",
          reason: "r",
          message: "m",
          lastTransitionTime: "2026-11-23T03:00:00Z",
        },
      ],
    },
  },
  Event: { metadata, reason: "r", note: "n" },
};

test.each(Object.keys(KINDS) as Kind[])(
  "objects of the API server: %s",
  (kind) => {
    const subject = { verb: "read", kind } as const;
    fc.assert(
      fc.property(jsonInput(OBJECTS[kind]), (text) => {
        const read = objectOf(subject, kind, jsonOrNull(text));
        expect(pollution()).toEqual([]);
        if (!read.ok)
          expect([read.failure.kind, read.failure.message.length < 2_000]).toEqual(["refused", true]);
      }),
      RUNS,
    );
  },
  TIMEOUT_MS,
);

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

test(
  "refusals of the API server",
  () => {
    const status = {
      code: 409,
      reason: "Conflict",
      message: "m",
      details: { causes: [{ field: "metadata.uid" }] },
    };
    fc.assert(
      fc.property(
        jsonInput(status),
        fc.integer({ min: 100, max: 599 }),
        anyValue,
        (text, code, retryAfter) => {
          const subject = { verb: "patch", kind: "Secret" } as const;
          const failure = answerFailure(subject, { code, body: jsonOrNull(text), retryAfter });
          expect(["transient", "conflict", "refused", "gone"]).toContain(failure.kind);
          expect(failure.message.length).toBeLessThan(400);
        },
      ),
      RUNS,
    );
  },
  TIMEOUT_MS,
);

test(
  "paths of the API server: one segment for each name, which is never another path",
  () => {
    fc.assert(
      fc.property(
        anyValue.filter((text) => text.isWellFormed()),
        (name) => {
          const path = pathOf("Secret", { namespace: "shop", name });
          expect(path.split("/")).toHaveLength(7);
          expect(path).toMatch(/^[\x21-\x7e]*$/);
          expect(/[?#]/.test(path)).toBe(false);
        },
      ),
      RUNS,
    );
  },
  TIMEOUT_MS,
);

async function* stream(pieces: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* pieces;
}

test(
  "lines: the same whatever the pieces",
  async () => {
    const text = fc.array(
      fc.oneof(
        noise,
        anyValue.map((value) => Buffer.from(value.slice(0, 500))),
      ),
      { maxLength: 6 },
    );
    await fc.assert(
      fc.asyncProperty(text, sizes, async (lines, cuts) => {
        const bytes = Buffer.concat(lines.map((line) => Buffer.concat([line, Buffer.from("\n")])));
        const read: string[] = [];
        for await (const line of linesOf(stream(inPieces(bytes, cuts)), 100_000)) read.push(line);
        expect(read).toEqual(
          bytes
            .toString("latin1")
            .split("\n")
            .slice(0, -1)
            .map((line) => Buffer.from(line, "latin1").toString("utf8")),
        );
      }),
      RUNS,
    );
  },
  TIMEOUT_MS,
);

/** Ends its second connection, and with it the watch. */
function once(chunks: readonly Buffer[], close: () => void): Transport {
  let opened = 0;
  return {
    send: () => Promise.resolve(fail("transient", "not asked")),
    open: () => {
      opened += 1;
      if (opened === 1) return Promise.resolve(succeed(Readable.from(chunks) as never));
      close();
      return Promise.resolve(fail("transient", "closed"));
    },
  };
}

test(
  "events of a watch: objects that can be read, or a new list",
  async () => {
    const line = fc.oneof(
      {
        weight: 4,
        arbitrary: fc
          .constantFrom("ADDED", "MODIFIED", "DELETED")
          .map((type) => JSON.stringify({ type, object: OBJECTS.Pod })),
      },
      { weight: 2, arbitrary: jsonInput({ type: "ADDED", object: OBJECTS.Pod }) },
      fc.constant(JSON.stringify({ type: "BOOKMARK", object: { metadata: { resourceVersion: "9" } } })),
      jsonInput({ type: "ERROR", object: { code: 410, message: "m" } }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 20 }), sizes, async (lines, cuts) => {
        const closing = new AbortController();
        const seen: Pod[] = [];
        const ended = new Promise((resolve) => closing.signal.addEventListener("abort", resolve));
        const bytes = Buffer.from(lines.map((one) => `${one.replaceAll("\n", " ")}\n`).join(""));
        const { close } = createWatches({
          transport: once(
            inPieces(
              bytes,
              cuts.map((size) => size * 100),
            ),
            () => closing.abort(),
          ),
          lister: { listing: () => Promise.resolve(succeed({ objects: [], resourceVersion: "1" })) },
          clock: { now: () => 0, sleep: () => Promise.resolve() },
          ids: { password: () => "", fraction: () => 0 },
          log: { info() {}, warn() {} },
          limits: { relistMs: 1e6, watchMs: 1e6, silenceMs: 1e6, backoffMinMs: 0, backoffMaxMs: 0 },
          closing: closing.signal,
        }).watch("Pod", {}, (_, pod) => void seen.push(pod));
        await ended;
        close();
        expect(seen.filter(({ uid, name }) => typeof uid !== "string" || typeof name !== "string")).toEqual(
          [],
        );
        expect(pollution()).toEqual([]);
      }),
      // Each has up to twenty lines.
      { numRuns: propertyRuns(300, 10_000) },
    );
  },
  TIMEOUT_MS,
);

test(
  "command lines: an exit code and a sentence, and nothing is changed by a wrong one",
  async () => {
    const sim = createSimKube({ now: () => 0, sleep: () => Promise.resolve() });
    putStatefulSet(
      sim,
      { namespace: "shop", name: "mysql" },
      { replicas: 3, annotations: { "ordinal.dev/engine": "mysql" } },
    );
    const words = [
      "status",
      "why",
      "scale",
      "switchover",
      "pause",
      "resume",
      "backup",
      "backups",
      "prove",
      "prune",
      "mysql",
      "shop/mysql",
      "--replicas",
      "5",
      "--to",
    ];
    const more = [
      "mysql-2",
      "-n",
      "shop",
      "-A",
      "-o",
      "json",
      "--wait",
      "--timeout",
      "1s",
      "--context",
      "--kubeconfig",
      "--method",
      "logical",
      "--store",
      "20261123T030000Z",
      "--dry-run",
      "--help",
    ];
    const word = fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom(...words, ...more) },
      mutatedText(fc.constantFrom(...words)),
      anyValue,
    );
    await fc.assert(
      fc.asyncProperty(fc.array(word, { maxLength: 8 }), async (args) => {
        let tick = 0;
        const ticks = () => {
          tick += 1;
          return tick;
        };
        const calls = sim.calls.length;
        const code = await run(
          args.map((text) => text.toWellFormed()),
          {
            ...{ out() {}, err() {}, colour: false, version: "1.2.3" },
            clock: { now: () => ticks() * 100, sleep: () => Promise.resolve() },
            connect: () => ({ ...NOWHERE, kube: sim.kube, namespace: "shop", close() {} }),
          },
        );
        expect([0, 1, 2, 3]).toContain(code);
        const names = sim.calls.slice(calls).flatMap(({ namespace, name }) => [namespace, name]);
        expect(names.filter((name) => name !== null && !isName(name))).toEqual([]);
      }),
      RUNS,
    );
  },
  TIMEOUT_MS,
);
