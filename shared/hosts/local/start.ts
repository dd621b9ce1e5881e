/**
 * The resident host put together: the real API server, real database servers, watches and a tick, in one
 * process that may be stopped or killed at any moment. It is the local runner of developers and tests, and
 * the same as a Deployment; it holds no state that a restart would lose.
 */
import type { Way } from "../../adapters/kube/connection.ts";
import { createKube, type KubeHandle } from "../../adapters/kube/kube.ts";
import { wayOfPod } from "../../adapters/kube/token-way.ts";
import { streamLog } from "../../adapters/mysql/log.ts";
import { createServers } from "../../adapters/mysql/servers.ts";
import { createS3Store } from "../../adapters/s3/store.ts";
import { askTip, lookAtLog } from "../../backup/mysql/log-source.ts";
import { mysql } from "../../engines/mysql/index.ts";
import type { Clock, Log } from "../../ports/host.ts";
import {
  engineOf,
  type PassRequest,
  type PassResult,
  type ReconcileContext,
  reconcile,
} from "../../reconcile/index.ts";
import { preview } from "../../reconcile/preview.ts";
import { type Archiver, createArchiver } from "../archive/archiver.ts";
import type { CloudEvent } from "../cloud-event.ts";
import { scopesOf } from "../fleet.ts";
import type { Reaction } from "../functions.ts";
import { createFront } from "../http/front.ts";
import { createGuard } from "../http/guard.ts";
import { createSenders } from "../http/senders.ts";
import { createJobBodies } from "../job/bodies.ts";
import type { Announcer } from "../outgoing/announcer.ts";
import type { TelemetrySettings } from "../telemetry/settings.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { ForwardOptions } from "./forward.ts";
import { type Functions, loadFunctions, SOURCE_FOLDER } from "./function-folder.ts";
import { type HttpServer, type HttpServerOptions, startHttpServer } from "./http-server.ts";
import { createLog, systemClock, systemIds } from "./platform.ts";
import { createRunner, type Runner, type RunnerOptions } from "./runner.ts";
import { backupCronSource, type EventSource, tickSource, watchSource } from "./sources.ts";

/** A server that is stopped keeps its sockets open: only a question that is not answered shows it. */
const SENSOR = { pulseMs: 500, timeoutMs: 700 };
/** Short, because this host comes back by itself and a pass that only waits keeps others from its place. */
const BUDGET_MS = 5_000;
export interface LocalHostOptions {
  /** Empty or absent = all namespaces. */
  readonly namespaces?: readonly string[];
  /** Path of a kubeconfig; absent = the Pod's own account. */
  readonly kubeconfig?: string;
  readonly context?: string;
  /** Whether it watches and ticks by itself, or events are brought to it by HTTP; absent = it watches. */
  readonly sources?: "watch" | "http";
  /** Must divide a minute. */
  readonly sweepSeconds?: number;
  /** A settled cluster is looked at again after this long without a pass. */
  readonly lookEveryMs?: number;
  readonly concurrency?: number;
  /** How long one pass may go on looking again before it leaves its place to others. */
  readonly budgetMs?: number;
  /** Whether kept connections to servers wake their cluster when they end; absent = true. */
  readonly sensor?: boolean;
  /** How long passes under way are waited for when it stops; absent = 5 s. */
  readonly stopGraceMs?: number;
  readonly log?: Log;
  readonly functions?: Functions;
  /** Ordinal's own image, from which Jobs take their program; absent = this host makes no Jobs. */
  readonly jobImage?: string;
  /** Absent = no HTTP. */
  readonly http?: HttpServerOptions;
  /** Where passes are made instead of here; absent = here. */
  readonly forward?: Pick<ForwardOptions, "url" | "secret">;
  /** Events are taken from service accounts alone, by tokens that were made for this audience; absent = from anybody. */
  readonly eventAudience?: string;
  /** Where CloudEvents of what was done are sent; absent = nowhere. May hold a secret. */
  readonly sink?: string;
  /** Where traces and metrics of passes are sent; absent = nowhere. */
  readonly telemetry?: TelemetrySettings;
  /** Wraps the watch, so that tests can cut, double and shuffle its events. */
  readonly wrapWatch?: (source: EventSource) => EventSource;
  readonly onEvent?: (event: CloudEvent, reaction: Reaction) => void;
  readonly onPass?: (result: PassResult, request: PassRequest) => void;
}

export interface LocalHost {
  /** Null = no HTTP. */
  readonly httpPort: number | null;
  readonly idle: Runner["idle"];
  /** Closes the sources and waits for the passes under way as long as it was told; a later pass finishes what is left. */
  stop(): Promise<void>;
}

interface Parts {
  readonly context: ReconcileContext;
  readonly handle: KubeHandle;
  readonly runner: Runner;
}

/** Null when no HTTP was asked for. */
async function serveHttp(
  { http, eventAudience: audience, namespaces = [] }: LocalHostOptions,
  functions: Functions,
  { context, handle, runner }: Parts,
): Promise<HttpServer | null> {
  if (http === undefined) return null;
  const { kube, clock, ids, log } = context;
  const guard = createGuard(handle.reviewer, { clock, log });
  const front = createFront({
    ...{ ...functions, kube, guard, namespaces, clock, ids, log, take: runner.take },
    ...{ lookedAtMs: runner.lookedAtMs, openStore: createS3Store },
    preview: (ref, request) => preview(context, ref, request),
    ...(audience !== undefined && {
      admitSender: createSenders(handle.reviewer, { audience, namespaces, clock, log }),
    }),
  });
  return await startHttpServer(http, { front, takesTokens: functions.requests.length > 0 }, log);
}

/** Its connections are its own: what it reads from is no sensor, and nobody else is to wait for it. */
function archiverOf(context: ReconcileContext, wake: Runner["wake"]): Archiver {
  const { kube, clock, ids, log, component } = context;
  const servers = createServers({ pool: false });
  return createArchiver({
    ...{ kube, clock, ids, log, component, openStore: createS3Store },
    engineOf: (set) => engineOf(context, set),
    lookAtLog: (to, wish) => lookAtLog({ servers, streamLog }, to, wish),
    askTip: (to) => askTip(servers, to),
    onNews: (ref) => wake({ ref, cause: "archive", priority: "normal" }),
  });
}

/** Nobody else loads what sends traces. */
async function telemetryOf(settings: TelemetrySettings | undefined, log: Log): Promise<Telemetry | null> {
  if (settings === undefined) return null;
  const { createPost, createTelemetry } = await import("../telemetry/telemetry.ts");
  return createTelemetry({ settings, clock: systemClock, log, post: createPost(settings) });
}

async function wayOf({ kubeconfig, context }: LocalHostOptions): Promise<Way> {
  if (kubeconfig === undefined) return await wayOfPod(process.env);
  // In a Pod nobody needs the reader of such files.
  const { wayOfKubeconfig } = await import("../../adapters/kube/kubeconfig.ts");
  return wayOfKubeconfig(kubeconfig, context);
}

/** Who makes the passes: this host, or functions elsewhere. */
async function passing(
  { forward, onEvent }: LocalHostOptions,
  { events: functions }: Functions,
  clock: Clock,
): Promise<Pick<RunnerOptions, "pass" | "onEvent">> {
  if (forward === undefined) return { pass: reconcile, ...(onEvent === undefined ? {} : { onEvent }) };
  const { createForwarder } = await import("./forward.ts");
  const forwarder = createForwarder({ ...forward, functions, clock });
  return {
    pass: (_, request) => forwarder.pass(request),
    onEvent(event, reaction) {
      forwarder.note(event, reaction);
      onEvent?.(event, reaction);
    },
  };
}

/** Who tells others, if anybody wants to be told: nobody else loads what writes CloudEvents. */
async function announcing(
  sink: string | undefined,
  context: ReconcileContext,
): Promise<{ announcer?: Announcer }> {
  if (sink === undefined) return {};
  const [{ createAnnouncer }, { createSink }] = await Promise.all([
    import("../outgoing/announcer.ts"),
    import("../outgoing/sink.ts"),
  ]);
  return { announcer: createAnnouncer({ ...context, send: createSink(sink) }) };
}

/** Throws when the kubeconfig cannot be used or the options contradict each other. */
export async function startLocalHost(options: LocalHostOptions = {}): Promise<LocalHost> {
  const { namespaces = [], sweepSeconds = 1, concurrency = 8, lookEveryMs = 10_000 } = options;
  const { stopGraceMs = 5_000 } = options;
  const log = options.log ?? createLog("text");
  const functions = options.functions ?? (await loadFunctions(SOURCE_FOLDER));
  const watches = options.sources !== "http" && functions.events.length > 0;
  if (!watches && options.http === undefined)
    throw new Error("nobody can reach these functions without a port for HTTP: give --http-port");
  const [clock, ids, component] = [systemClock, systemIds, "ordinal/local"];
  const { wrapWatch = (source) => source } = options;
  const handle = createKube({ ...{ clock, ids, log }, way: await wayOf(options), userAgent: component });
  const lost = (attributes: Readonly<Record<string, string>>): void => {
    const [namespace, name] = (attributes["cluster"] ?? "").split("/");
    if (namespace === undefined || name === undefined) return;
    runner.wake({ ref: { namespace, name }, cause: "connection lost", priority: "high" });
  };
  const sensing = options.sensor === false ? {} : { sensor: { ...SENSOR, onLost: lost } };
  const servers = createServers({ pool: true, ...sensing });
  const context: ReconcileContext = {
    kube: handle.kube,
    servers,
    engines: { mysql },
    clock,
    ids,
    log,
    component,
    jobs: options.jobImage === undefined ? null : createJobBodies(options.jobImage, mysql.rules),
    budgetMs: options.budgetMs ?? BUDGET_MS,
  };
  const { onPass } = options;
  const archiver = archiverOf(context, (wake) => runner.wake(wake));
  const telling = await announcing(options.sink, context);
  const telemetry = await telemetryOf(options.telemetry, log);
  const passes = await passing(options, functions, clock);
  const runner = createRunner({
    context,
    // What an archive has to tell is recorded by a pass of the same host.
    ...(options.forward === undefined ? { archiver } : {}),
    ...passes,
    pass: telemetry?.around(passes.pass) ?? passes.pass,
    ...telling,
    functions: functions.events,
    namespaces,
    lookEveryMs,
    concurrency,
    ...(onPass === undefined ? {} : { onPass }),
  });
  const server = await serveHttp(options, functions, { context, handle, runner });
  const watching = { watches: handle.watches, clock, jobs: context.jobs !== null };
  const watch = wrapWatch(watchSource(watching, scopesOf(namespaces)));
  // Without a function of events nobody is to be woken, and the rights to look need not be there.
  const ticks = [tickSource(sweepSeconds, clock), backupCronSource(clock)];
  const sources = watches ? [watch, ...ticks] : [];
  const subscriptions = sources.map((source) => source(runner.emit));
  const scope = namespaces.join(" ") || "all namespaces";
  const names = [...functions.events, ...(server === null ? [] : functions.requests)].map(({ name }) => name);
  log.info("serving", { functions: names.join(" "), scope, sweepSeconds, httpPort: server?.port });
  return {
    httpPort: server?.port ?? null,
    idle: runner.idle,
    async stop() {
      for (const subscription of subscriptions) subscription.close();
      await Promise.all([
        ...[runner.stop(stopGraceMs), archiver.stop(stopGraceMs)],
        server?.stop(stopGraceMs),
      ]);
      await Promise.all([telling.announcer?.stop(), telemetry?.flush()]);
      servers.close();
      handle.close();
    },
  };
}
