/**
 * Functions as they are packaged, in processes of their own under the Runtime API, with the payloads of AWS. The API server
 * behind the tokens has no cluster at all here; what a pass does on a real one, the end-to-end tests show.
 */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { SIGNATURE_HEADER, sign } from "../../../shared/hosts/signature.ts";
import { makeServerCertificate } from "../../support/certificates.ts";
import { type EksGate, openGate } from "../../support/eks-gate.ts";
import { type Lambda, startLambda } from "../../support/lambda-emulator.ts";
import { httpEvent, tickEvents } from "../../support/lambda-payloads.ts";

const SECRET = "0123456789abcdef0123456789abcdef";
const PATIENCE_MS = 30_000;

let folder: string;
let gate: EksGate;
/** What the API server answers everything with. */
let status = 200;
const asked: string[] = [];
const lines: string[] = [];
const running: Lambda[] = [];

async function start(name: string, more: Readonly<Record<string, string>> = {}): Promise<Lambda> {
  const env = { ...gate.env, ORDINAL_FORWARD_SECRET: SECRET, ...more };
  const lambda = await startLambda({ name, env, onLine: (line) => void lines.push(line) });
  running.push(lambda);
  return lambda;
}

function agentOf({ headers }: IncomingMessage): string {
  return headers["user-agent"] ?? "";
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "ordinal-gate-"));
  gate = await openGate(await makeServerCertificate(folder), (incoming, response) => {
    asked.push(`${incoming.method} ${incoming.url?.split("?")[0]} ${agentOf(incoming)}`);
    const review = { status: { authenticated: false } };
    const answer = incoming.method === "POST" ? review : { metadata: { resourceVersion: "1" }, items: [] };
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answer));
  });
}, PATIENCE_MS);
afterAll(() => {
  for (const lambda of running) lambda.end();
  gate.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  status = 200;
  asked.length = 0;
  lines.length = 0;
});

const LIST = "GET /apis/apps/v1/statefulsets";

describe("a tick", () => {
  let sweep: Lambda;
  beforeAll(async () => {
    sweep = await start("sweep");
  }, PATIENCE_MS);

  test.each(Object.entries(tickEvents("dev.ordinal.sweep")))(
    "%s makes the function look for what is due",
    async (_, event) => {
      expect(await sweep.invoke(event)).toEqual({ ok: true, answer: { status: "accepted" } });
      expect(asked).toEqual([`${LIST} ordinal/sweep`]);
    },
    PATIENCE_MS,
  );

  test(
    "that could do nothing fails, so that Lambda repeats it; garbage does not",
    async () => {
      status = 500;
      const [event] = Object.values(tickEvents("dev.ordinal.sweep"));
      expect(await sweep.invoke(event)).toMatchObject({ ok: false, error: expect.stringContaining("500") });
      for (const garbage of [
        null,
        "text",
        7,
        {},
        { Records: [] },
        { ...(event as object), source: "aws.s3" },
      ])
        expect(await sweep.invoke(garbage)).toEqual({ ok: true, answer: { status: "refused" } });
      expect(asked).toHaveLength(1);
    },
    PATIENCE_MS,
  );
});

test(
  "the tick of the backups looks for those that are due, in the namespaces that are served",
  async () => {
    const backups = await start("backup-cron", { ORDINAL_NAMESPACES: "shop, warehouse" });
    const [event] = Object.values(tickEvents("dev.ordinal.backup-cron"));
    expect(await backups.invoke(event)).toMatchObject({ ok: true });
    const list = (namespace: string) =>
      `GET /apis/apps/v1/namespaces/${namespace}/statefulsets ordinal/backup-cron`;
    expect(asked.sort()).toEqual([list("shop"), list("warehouse")]);
  },
  PATIENCE_MS,
);

describe("a forwarded event", () => {
  let failure: Lambda;
  const path = "/events/pod-failure";
  const data = { kind: "Pod", namespace: "shop", name: "mysql-0", apiVersion: "v1" };
  const head = { specversion: "1.0", id: "1", source: "/test", type: "dev.knative.apiserver.ref.delete" };
  const binary = {
    ...Object.fromEntries(Object.entries(head).map(([name, value]) => [`ce-${name}`, value])),
    "content-type": "application/json",
  };
  const structured = { "content-type": "application/cloudevents+json; charset=utf-8" };
  const forms = {
    binary: { headers: binary, body: JSON.stringify(data) },
    structured: {
      headers: structured,
      body: JSON.stringify({ ...head, datacontenttype: "application/json", data }),
    },
  } as const;

  type Sent = { readonly headers: Readonly<Record<string, string>>; readonly body: string };
  const send = (message: Sent, base64 = false, lambda = failure) => {
    const signature = sign(SECRET, { ...message, path }, Date.now());
    const headers = { ...message.headers, [SIGNATURE_HEADER]: signature };
    return lambda.invoke(httpEvent({ method: "POST", path, headers, body: message.body, base64 }));
  };

  beforeAll(async () => {
    failure = await start("pod-failure");
  }, PATIENCE_MS);

  test.each([
    ["binary", false],
    ["binary", true],
    ["structured", false],
    ["structured", true],
  ] as const)(
    "%s, in base64: %s, is answered when its pass has ended",
    async (form, base64) => {
      status = 404;
      const invoked = await send(forms[form], base64);
      expect(invoked).toMatchObject({ ok: true, answer: { statusCode: 202 } });
      const { body } = (invoked as { answer: { body: string } }).answer;
      expect(JSON.parse(body)).toEqual({
        status: "accepted",
        passes: [{ namespace: "shop", name: "mysql", outcome: "unmanaged", lookAgainMs: null }],
      });
      expect(asked[0]).toBe("GET /apis/apps/v1/namespaces/shop/statefulsets/mysql ordinal/pod-failure");
    },
    PATIENCE_MS,
  );

  test(
    "leaves traces before it is answered, where a collector is named",
    async () => {
      const sent = new Map<string, string>();
      const collector = createServer((incoming, response) => {
        void text(incoming).then((body) => {
          sent.set(incoming.url ?? "", body);
          response.writeHead(200, { "content-type": "application/json" }).end("{}");
        });
      });
      await once(collector.listen(0, "127.0.0.1"), "listening");
      const { port } = collector.address() as AddressInfo;
      const traced = await start("pod-failure", {
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
        OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      });
      status = 500;
      const [traceId, spanId] = ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"];
      const headers = { ...binary, "ce-traceparent": `00-${traceId}-${spanId}-01` };
      await send({ ...forms.binary, headers }, false, traced);
      collector.close();
      expect([...sent.keys()].sort()).toEqual(["/v1/metrics", "/v1/traces"]);
      const [told] = JSON.parse(sent.get("/v1/traces") ?? "").resourceSpans[0].scopeSpans;
      expect(told.spans[0]).toMatchObject({ name: "pass", links: [{ traceId, spanId }] });
      expect(told.spans[0].traceId).not.toBe(traceId);
    },
    PATIENCE_MS,
  );

  test(
    "is to be repeated when its pass failed",
    async () => {
      status = 500;
      const invoked = await send(forms.binary);
      expect(invoked).toMatchObject({
        answer: {
          statusCode: 503,
          headers: { "retry-after": "1", "content-type": "application/problem+json" },
        },
      });
    },
    PATIENCE_MS,
  );

  test(
    "that is not ours, no event, or for nobody asks nothing of the API server",
    async () => {
      const plain = { method: "POST", path, ...forms.binary };
      const answers = [
        await failure.invoke(httpEvent(plain)),
        await failure.invoke(
          httpEvent({ ...plain, headers: { ...binary, [SIGNATURE_HEADER]: `t=1,v1=${"0".repeat(64)}` } }),
        ),
        await failure.invoke(httpEvent({ ...plain, method: "GET" })),
        await send({ headers: binary, body: "{" }),
        await send({ headers: { "content-type": "application/cloudevents-batch+json" }, body: "[]" }),
        await send({ ...forms.binary, headers: { ...binary, "ce-type": "com.example.other" } }),
      ];
      const codes = answers.map((one) => (one as { answer: { statusCode: number } }).answer.statusCode);
      expect(codes).toEqual([401, 401, 405, 400, 400, 202]);
      expect(asked).toEqual([]);
      expect(lines.join("")).not.toContain(SECRET);
    },
    PATIENCE_MS,
  );
});

test(
  "a request goes through the same front as everywhere",
  async () => {
    const scale = await start("scale");
    const path = "/clusters/shop/mysql/scale";
    const body = JSON.stringify({ replicas: 5 });
    const headers = { "content-type": "application/json", authorization: "Bearer a.b.c" };
    const request = { method: "POST", path, headers, body };
    const codes: unknown[] = [];
    for (const event of [
      httpEvent({ ...request, base64: true }),
      httpEvent({ ...request, headers: { "content-type": "application/json" } }),
      httpEvent({ ...request, path: "/nowhere" }),
      httpEvent({ ...request, method: "GET" }),
      httpEvent({ ...request, body: " ".repeat(65 * 1024) }),
    ]) {
      const invoked = await scale.invoke(event);
      codes.push((invoked as { answer: { statusCode: number } }).answer.statusCode);
    }
    expect(codes).toEqual([401, 401, 404, 405, 413]);
    expect(asked).toEqual(["POST /apis/authentication.k8s.io/v1/tokenreviews ordinal/scale"]);
    expect(lines.join("")).not.toContain("a.b.c");
  },
  PATIENCE_MS,
);

test(
  "a deployment with wrong settings says which, and starts nothing",
  async () => {
    const astray = await start("sweep", { ORDINAL_CLUSTER_ENDPOINT: "http://127.0.0.1:1" });
    expect(await astray.invoke({})).toMatchObject({
      ok: false,
      error: expect.stringContaining("ORDINAL_CLUSTER_ENDPOINT"),
    });
  },
  PATIENCE_MS,
);
