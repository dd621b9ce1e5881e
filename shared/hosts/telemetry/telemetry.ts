/**
 * Collects what passes tell of themselves and sends it, beside them: no pass waits for it or fails by it. What cannot be sent in
 * time is dropped, and the log says so once. A host that ends after a pass flushes first; a resident one when it stops.
 */
import { randomBytes } from "node:crypto";
import type { Clock, Log } from "../../ports/host.ts";
import type { Kube } from "../../ports/kube.ts";
import type { Trace, TraceFields } from "../../ports/trace.ts";
import type { PassRequest, PassResult, ReconcileContext } from "../../reconcile/index.ts";
import { post } from "../post.ts";
import { type Count, type Durations, encodeMetrics, encodeSpans, type Period, type Span } from "./otlp.ts";
import type { TelemetrySettings } from "./settings.ts";

type Pass = (context: ReconcileContext, request: PassRequest) => Promise<PassResult>;

export interface Telemetry {
  /** The same pass, told of. */
  around(pass: Pass): Pass;
  /** Resolves when all that was collected is sent or dropped, after a few seconds at most. */
  flush(): Promise<void>;
}

/** Status of the answer; null when there was none in time. Never throws. */
export type Post = (url: URL, body: string) => Promise<number | null>;

const TIMEOUT_MS = 2_000;
/** Beyond it, spans of later passes are dropped until some were sent. */
const SPANS_MAX = 2_048;

export function createPost({ headers }: TelemetrySettings): Post {
  const all = { ...headers, "content-type": "application/json" };
  return (url, body) => post(url, { headers: all, body }, TIMEOUT_MS);
}

interface Collected {
  spans: Span[];
  readonly counts: Map<string, Count>;
  readonly durations: Map<string, Durations>;
  dropped: number;
  fromMs: number;
}

function empty(fromMs: number): Collected {
  return { spans: [], counts: new Map(), durations: new Map(), dropped: 0, fromMs };
}

function count(into: Collected, name: Count["name"], fields: TraceFields): void {
  const key = JSON.stringify([name, fields]);
  const before = into.counts.get(key)?.count ?? 0;
  into.counts.set(key, { name, fields, count: before + 1 });
}

function took(into: Collected, fields: TraceFields, ms: number): void {
  const key = JSON.stringify(fields);
  const before = into.durations.get(key)?.seconds ?? [];
  into.durations.set(key, { fields, seconds: [...before, ms / 1_000] });
}

/** Each call is counted by its verb. */
function counted(kube: Kube, onCall: (verb: keyof Kube) => void): Kube {
  const told =
    <Args extends readonly unknown[], Answer>(verb: keyof Kube, call: (...args: Args) => Answer) =>
    (...args: Args): Answer => {
      onCall(verb);
      return call(...args);
    };
  return {
    read: told("read", kube.read) as Kube["read"],
    list: told("list", kube.list) as Kube["list"],
    create: told("create", kube.create) as Kube["create"],
    patch: told("patch", kube.patch) as Kube["patch"],
    remove: told("remove", kube.remove),
  };
}

const idOf = (bytes: number): string => randomBytes(bytes).toString("hex");

/** One pass, from its beginning to its end. */
function watch(into: Collected, { clock, kube }: Pick<ReconcileContext, "clock" | "kube">) {
  const [traceId, rootId, begunMs] = [idOf(16), idOf(8), clock.now()];
  const parts: Span[] = [];
  let steps = 0;
  const trace: Trace = {
    begin(name, fields = {}) {
      const fromMs = clock.now();
      return (outcome = "ok") => {
        const failed = outcome !== "ok";
        const shown = { ...fields, "ordinal.outcome": outcome };
        parts.push({
          ...{ traceId, spanId: idOf(8), parentSpanId: rootId, name, fromMs, toMs: clock.now() },
          ...{ fields: shown, failed },
        });
        if (name !== "step") return;
        steps += 1;
        count(into, "ordinal.steps", { kind: fields["ordinal.step"] ?? "", outcome });
      };
    },
  };
  return {
    context: { trace, kube: counted(kube, (verb) => count(into, "ordinal.api.calls", { verb })) },
    ended(
      { ref, cause, origins }: PassRequest,
      outcome: PassResult["outcome"] | "bug",
      phase: string | null,
    ): void {
      const toMs = clock.now();
      took(into, { outcome }, toMs - begunMs);
      // As in the log: a look that found all as it was tells nothing.
      if (steps === 0 && (outcome === "settled" || outcome === "unmanaged")) return;
      const root: Span = {
        ...{ traceId, spanId: rootId, parentSpanId: null, name: "pass", fromMs: begunMs, toMs },
        fields: {
          ...{ "k8s.namespace.name": ref.namespace, "k8s.statefulset.name": ref.name },
          ...{ "ordinal.cause": cause, "ordinal.outcome": outcome },
          ...(phase !== null && { "ordinal.phase": phase }),
        },
        failed: outcome === "failed" || outcome === "bug",
        ...(origins !== undefined && { links: origins }),
      };
      if (into.spans.length + parts.length < SPANS_MAX) into.spans.push(root, ...parts);
      else into.dropped += parts.length + 1;
    },
  };
}

export interface TelemetryOptions {
  readonly settings: TelemetrySettings;
  readonly clock: Clock;
  readonly log: Log;
  readonly post: Post;
}

/** Sends what was collected in this period; true when all of it was taken. */
async function send(
  { settings, post }: TelemetryOptions,
  { spans, counts, durations }: Collected,
  period: Period,
): Promise<boolean> {
  const { tracesUrl, metricsUrl, resource } = settings;
  const sums = () => encodeMetrics([...counts.values()], [...durations.values()], period, resource);
  const answers = await Promise.all([
    tracesUrl === null || spans.length === 0 ? 200 : post(tracesUrl, encodeSpans(spans, resource)),
    metricsUrl === null || durations.size === 0 ? 200 : post(metricsUrl, sums()),
  ]);
  return answers.every((status) => status !== null && status < 300);
}

export function createTelemetry(options: TelemetryOptions): Telemetry {
  const { clock, log } = options;
  const collected = empty(clock.now());
  let sending: Promise<void> | null = null;
  let isRefused = false;

  /** Passes under way go on to collect into what is sent next. */
  function take(): Collected {
    const taken = {
      ...collected,
      counts: new Map(collected.counts),
      durations: new Map(collected.durations),
    };
    collected.counts.clear();
    collected.durations.clear();
    Object.assign(collected, { spans: [], dropped: 0, fromMs: clock.now() });
    return taken;
  }

  function note(wasTaken: boolean, dropped: number): void {
    if (!wasTaken && !isRefused)
      log.warn("traces and metrics of passes are not taken, and are dropped until they are", { dropped });
    if (wasTaken && isRefused) log.info("traces and metrics of passes are taken again", { dropped });
    isRefused = !wasTaken;
  }

  async function sendAll(): Promise<void> {
    while (collected.durations.size > 0) {
      const taken = take();
      const { fromMs, dropped, spans } = taken;
      const wasTaken = await send(options, taken, { fromMs, toMs: clock.now() });
      note(wasTaken, wasTaken ? dropped : dropped + spans.length);
    }
  }

  function flush(): Promise<void> {
    sending ??= sendAll()
      .catch((error: unknown) => {
        log.warn("telling of passes was broken off by an unexpected error", { error: String(error) });
      })
      .finally(() => {
        sending = null;
      });
    return sending;
  }

  return {
    around: (pass) => async (context, request) => {
      const watched = watch(collected, context);
      let ended: PassResult | null = null;
      try {
        ended = await pass({ ...context, ...watched.context }, request);
        return ended;
      } finally {
        watched.ended(request, ended?.outcome ?? "bug", ended?.phase ?? null);
        void flush();
      }
    },
    flush,
  };
}
