/**
 * Spans and counts as the bodies of OTLP requests in JSON. The format is small and stable, so no SDK is needed to write it
 * (docs/adr/0038). Counts are those since the last request (delta temporality): a process that ends keeps no sums. Pure.
 */
import type { TraceOrigin } from "../../model/trace-origin.ts";
import type { TraceFields } from "../../ports/trace.ts";

export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  /** Null = the root of its trace. */
  readonly parentSpanId: string | null;
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly fields: TraceFields;
  readonly failed: boolean;
  /** Spans of others that it goes back to; absent = none. */
  readonly links?: readonly TraceOrigin[];
}

/** How often something happened, by its attributes. */
export interface Count {
  readonly name: "ordinal.api.calls" | "ordinal.steps";
  readonly fields: TraceFields;
  readonly count: number;
}

/** How long passes took that ended in one way, seconds each. */
export interface Durations {
  readonly fields: TraceFields;
  readonly seconds: readonly number[];
}

/** Upper ends of the ranges in which durations are counted, seconds. */
export const DURATION_BOUNDS: readonly number[] = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

const DELTA = 1;
const [STATUS_UNSET, STATUS_ERROR] = [0, 2];
const KIND_INTERNAL = 1;
const SCOPE = { name: "ordinal" };

const nanos = (ms: number): string => `${BigInt(Math.round(ms)) * 1_000_000n}`;

function attributes(fields: TraceFields): readonly object[] {
  return Object.entries(fields).map(([key, value]) => {
    if (typeof value === "string") return { key, value: { stringValue: value } };
    if (typeof value === "boolean") return { key, value: { boolValue: value } };
    return { key, value: Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value } };
  });
}

function linkOf({ traceId, spanId, state }: TraceOrigin): object {
  return { traceId, spanId, ...(state !== null && { traceState: state }) };
}

export function encodeSpans(spans: readonly Span[], resource: TraceFields): string {
  const shown = spans.map(({ traceId, spanId, parentSpanId, name, fromMs, toMs, fields, failed, links }) => ({
    ...{ traceId, spanId, ...(parentSpanId !== null && { parentSpanId }), name, kind: KIND_INTERNAL },
    ...{ startTimeUnixNano: nanos(fromMs), endTimeUnixNano: nanos(toMs), attributes: attributes(fields) },
    status: { code: failed ? STATUS_ERROR : STATUS_UNSET },
    ...(links !== undefined && { links: links.map(linkOf) }),
  }));
  return JSON.stringify({
    resourceSpans: [
      { resource: { attributes: attributes(resource) }, scopeSpans: [{ scope: SCOPE, spans: shown }] },
    ],
  });
}

/** Both in milliseconds since 1970. */
export interface Period {
  readonly fromMs: number;
  readonly toMs: number;
}

function bucketsOf(seconds: readonly number[]): readonly string[] {
  const counts = Array.from({ length: DURATION_BOUNDS.length + 1 }, () => 0);
  for (const one of seconds) {
    const at = DURATION_BOUNDS.findIndex((bound) => one <= bound);
    const index = at < 0 ? DURATION_BOUNDS.length : at;
    counts[index] = (counts[index] ?? 0) + 1;
  }
  return counts.map(String);
}

export function encodeMetrics(
  counts: readonly Count[],
  durations: readonly Durations[],
  { fromMs, toMs }: Period,
  resource: TraceFields,
): string {
  const point = (fields: TraceFields) => ({
    ...{ attributes: attributes(fields), startTimeUnixNano: nanos(fromMs), timeUnixNano: nanos(toMs) },
  });
  const sums = [...Map.groupBy(counts, ({ name }) => name)].map(([name, of]) => ({
    ...{ name, unit: "1" },
    sum: {
      ...{ aggregationTemporality: DELTA, isMonotonic: true },
      dataPoints: of.map(({ fields, count }) => ({ ...point(fields), asInt: String(count) })),
    },
  }));
  const histogram = {
    ...{ name: "ordinal.pass.duration", unit: "s" },
    histogram: {
      aggregationTemporality: DELTA,
      dataPoints: durations.map(({ fields, seconds }) => ({
        ...{
          ...point(fields),
          count: String(seconds.length),
          sum: seconds.reduce((sum, one) => sum + one, 0),
        },
        ...{ bucketCounts: bucketsOf(seconds), explicitBounds: DURATION_BOUNDS },
      })),
    },
  };
  const metrics = durations.length === 0 ? sums : [histogram, ...sums];
  return JSON.stringify({
    resourceMetrics: [
      { resource: { attributes: attributes(resource) }, scopeMetrics: [{ scope: SCOPE, metrics }] },
    ],
  });
}
