/** Where traces are sent, as the environment says it, and how: verified, within two seconds, and without a secret in any message. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, onTestFinished, test } from "vitest";
import { DURATION_BOUNDS, encodeMetrics, encodeSpans } from "../../../shared/hosts/telemetry/otlp.ts";
import { readTelemetrySettings, type TelemetrySettings } from "../../../shared/hosts/telemetry/settings.ts";
import { createPost } from "../../../shared/hosts/telemetry/telemetry.ts";
import { makeServerCertificate } from "../../support/certificates.ts";

const BASE = "OTEL_EXPORTER_OTLP_ENDPOINT";
const HEADERS = "OTEL_EXPORTER_OTLP_HEADERS";
const AT = "https://collector.example:4318";

const read = (environment: Readonly<Record<string, string>>) => {
  const settings = readTelemetrySettings(environment);
  return (
    settings && [settings.tracesUrl?.href, settings.metricsUrl?.href, settings.headers, settings.resource]
  );
};

describe("settings", () => {
  test.each([
    [{}],
    [{ [BASE]: "" }],
    [{ [BASE]: AT, OTEL_SDK_DISABLED: "true" }],
    [{ [BASE]: AT, OTEL_TRACES_EXPORTER: "none", OTEL_METRICS_EXPORTER: "none" }],
  ])("%j sends nothing", (environment) => {
    expect(read(environment as Record<string, string>)).toBeNull();
  });

  test("one address for both, each with its path; an address of its own is used as it is", () => {
    const name = { "service.name": "ordinal" };
    expect(read({ [BASE]: AT })).toEqual([`${AT}/v1/traces`, `${AT}/v1/metrics`, {}, name]);
    expect(read({ [BASE]: `${AT}/otlp/` })).toEqual([
      `${AT}/otlp/v1/traces`,
      `${AT}/otlp/v1/metrics`,
      {},
      name,
    ]);
    const own = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://traces.example/in" };
    expect(read(own)).toEqual(["https://traces.example/in", undefined, {}, name]);
    expect(read({ [BASE]: AT, OTEL_TRACES_EXPORTER: "none" })).toEqual([
      undefined,
      `${AT}/v1/metrics`,
      {},
      name,
    ]);
  });

  test("headers and attributes are read as they are encoded", () => {
    const given = {
      [BASE]: AT,
      [HEADERS]: "authorization=Bearer%20abc, x-scope = shop",
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment=prod,service.name=db",
    };
    const resource = { "deployment.environment": "prod", "service.name": "db" };
    expect(read(given)?.slice(2)).toEqual([{ authorization: "Bearer abc", "x-scope": "shop" }, resource]);
    expect(read({ ...given, OTEL_SERVICE_NAME: "o" })?.[3]).toMatchObject({ "service.name": "o" });
    expect(read({ ...given, [BASE]: "http://127.0.0.1:4318" })).not.toBeNull();
  });

  test.each([
    [{ [BASE]: "s3cret" }, BASE],
    [{ [BASE]: "ftp://s3cret" }, BASE],
    [{ [BASE]: AT, OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }, "OTEL_EXPORTER_OTLP_PROTOCOL must be http/json"],
    [{ [BASE]: AT, [HEADERS]: "s3cret" }, HEADERS],
    [{ [BASE]: AT, [HEADERS]: "a=%E0%A4%A" }, HEADERS],
    [{ [BASE]: "http://collector.example", [HEADERS]: "a=s3cret" }, "use https"],
  ])("%j is refused by name, without its value", (environment, says) => {
    expect(() => readTelemetrySettings(environment)).toThrow(says);
    expect(() => readTelemetrySettings(environment)).not.toThrow("s3cret");
  });
});

const RESOURCE = { attributes: [{ key: "service.name", value: { stringValue: "ordinal" } }] };

test("spans are written as OTLP has them in JSON", () => {
  const span = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", name: "pass" };
  const fields = { a: "x", b: 1, c: true, d: 0.5 };
  const spans = encodeSpans(
    [
      {
        ...span,
        parentSpanId: null,
        fromMs: 1_795_000_000_123,
        toMs: 1_795_000_000_125,
        fields,
        failed: true,
        links: [
          { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7", state: "a=b" },
          { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b8", state: null },
        ],
      },
    ],
    { "service.name": "ordinal" },
  );
  expect(JSON.parse(spans)).toEqual({
    resourceSpans: [
      {
        resource: RESOURCE,
        scopeSpans: [
          {
            scope: { name: "ordinal" },
            spans: [
              {
                ...span,
                kind: 1,
                startTimeUnixNano: "1795000000123000000",
                endTimeUnixNano: "1795000000125000000",
                attributes: [
                  { key: "a", value: { stringValue: "x" } },
                  { key: "b", value: { intValue: "1" } },
                  { key: "c", value: { boolValue: true } },
                  { key: "d", value: { doubleValue: 0.5 } },
                ],
                status: { code: 2 },
                links: [
                  {
                    ...{ traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7" },
                    traceState: "a=b",
                  },
                  { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b8" },
                ],
              },
            ],
          },
        ],
      },
    ],
  });
});

test("so are counts and durations, since the request before", () => {
  const metrics = encodeMetrics(
    [{ name: "ordinal.steps", fields: { kind: "Seed" }, count: 3 }],
    [{ fields: {}, seconds: [0.05, 0.06, 31] }],
    { fromMs: 1_000, toMs: 2_000 },
    { "service.name": "ordinal" },
  );
  const period = { startTimeUnixNano: "1000000000", timeUnixNano: "2000000000" };
  expect(JSON.parse(metrics).resourceMetrics[0]).toEqual({
    resource: RESOURCE,
    scopeMetrics: [
      {
        scope: { name: "ordinal" },
        metrics: [
          {
            name: "ordinal.pass.duration",
            unit: "s",
            histogram: {
              aggregationTemporality: 1,
              dataPoints: [
                {
                  ...{ attributes: [], ...period, count: "3", sum: expect.closeTo(31.11, 6) },
                  bucketCounts: ["1", "1", "0", "0", "0", "0", "0", "0", "0", "1"],
                  explicitBounds: DURATION_BOUNDS,
                },
              ],
            },
          },
          {
            name: "ordinal.steps",
            unit: "1",
            sum: {
              ...{ aggregationTemporality: 1, isMonotonic: true },
              dataPoints: [
                { attributes: [{ key: "kind", value: { stringValue: "Seed" } }], ...period, asInt: "3" },
              ],
            },
          },
        ],
      },
    ],
  });
});

describe("sending", () => {
  const settings: TelemetrySettings = {
    ...{ tracesUrl: null, metricsUrl: null, resource: {} },
    headers: { authorization: "Bearer abc" },
  };

  async function serve(listener: RequestListener, tls?: { readonly cert: string; readonly key: string }) {
    const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    return new URL(
      `${tls === undefined ? "http" : "https"}://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    );
  }

  /** Signed by an authority that nobody knows. */
  async function ofStranger() {
    const folder = mkdtempSync(join(tmpdir(), "ordinal-telemetry-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const { certFile, keyFile } = await makeServerCertificate(folder);
    return { cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") };
  }

  test("a body is posted with the headers that were given", async () => {
    const seen: unknown[] = [];
    const url = await serve((request, response) => {
      const { method, headers } = request;
      void text(request).then((body) => {
        seen.push([method, headers["content-type"], headers.authorization, body]);
        response.writeHead(200).end("{}");
      });
    });
    expect(await createPost(settings)(url, '{"a":1}')).toBe(200);
    expect(seen).toEqual([["POST", "application/json", "Bearer abc", '{"a":1}']]);
  });

  test("who never answers is given up after two seconds", async () => {
    const url = await serve(() => {});
    const begunMs = performance.now();
    expect(await createPost(settings)(url, "{}")).toBeNull();
    expect(performance.now() - begunMs).toBeLessThan(3_000);
  });

  test("it is not left for where it points to, and nobody is trusted whom nobody vouches for", async () => {
    let followed = false;
    const elsewhere = await serve((_, response) => {
      followed = true;
      response.end();
    });
    const url = await serve((_, response) => response.writeHead(307, { location: elsewhere.href }).end());
    expect(await createPost(settings)(url, "{}")).toBe(307);
    let asked = false;
    const stranger = await serve(
      (_, response) => {
        asked = true;
        response.end();
      },
      await ofStranger(),
    );
    expect(await createPost(settings)(stranger, "{}")).toBeNull();
    expect([followed, asked]).toEqual([false, false]);
  });
});
