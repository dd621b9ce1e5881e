/**
 * The port `Watches`: list, then watch from there, for ever. It must outlive anything that the network, the
 * server or a callback does, and may lose nothing: when in doubt it lists again and compares (known-set.ts).
 * It resumes from the last version seen, lists when the server has forgotten that version and at the latest
 * every `relistMs`, and waits longer and longer while nothing works.
 */
import { setTimeout as delay } from "node:timers/promises";
import * as z from "zod";
import type { Kind, KubeKinds } from "../../model/kube.ts";
import { type Failure, unreachable } from "../../model/outcome.ts";
import type { Clock, Ids, Log } from "../../ports/host.ts";
import type { ListOptions, WatchEventType, Watches } from "../../ports/kube.ts";
import { networkFailure, type Subject, watchFailure } from "./failures.ts";
import { pathOf } from "./kinds.ts";
import { createKnownSet, type KnownSet } from "./known-set.ts";
import { linesOf } from "./lines.ts";
import { type Lister, selection } from "./lists.ts";
import { objectOf } from "./objects.ts";
import type { Transport } from "./transport.ts";

export interface WatchLimits {
  readonly relistMs: number;
  /** The server ends a watch after this long; so does the client, a little later. */
  readonly watchMs: number;
  /** The server sends a bookmark every minute; after this much silence the connection counts as dead. */
  readonly silenceMs: number;
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
}

export interface WatchDeps {
  readonly transport: Transport;
  readonly lister: Lister;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly limits: WatchLimits;
  /** Ends all watches. */
  readonly closing: AbortSignal;
}

/** etcd takes at most 1.5 MiB an object by default; this leaves room for other settings. */
const LINE_BYTES_MAX = 16 * 1024 * 1024;
const HEALTHY_MS = 60_000;
const GRACE_MS = 10_000;

const eventSchema = z.object({
  type: z.enum(["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]),
  object: z.unknown(),
});
const bookmarkSchema = z.object({ metadata: z.object({ resourceVersion: z.string() }) });

interface Session<K extends Kind> {
  readonly kind: K;
  readonly options: ListOptions;
  readonly subject: Subject;
  readonly known: KnownSet<KubeKinds[K]>;
  readonly signal: AbortSignal;
  readonly onSynced: () => void;
  /** Where the watch goes on; null = only a new list can tell. */
  version: string | null;
  listedAt: number;
}

export function createWatches(deps: WatchDeps): Watches {
  return {
    watch(kind, options, onEvent) {
      const own = new AbortController();
      const signal = AbortSignal.any([own.signal, deps.closing]);
      const synced = Promise.withResolvers<void>();
      // Whoever waits for a watch that is closed before its first list shall not wait for ever.
      signal.addEventListener("abort", () => synced.resolve(), { once: true });
      const known = createKnownSet(guarded(kind, onEvent, signal, deps.log));
      const subject: Subject = {
        verb: "watch",
        kind,
        ...(options.namespace && { namespace: options.namespace }),
      };
      const onSynced = synced.resolve;
      void run({ kind, options, subject, known, signal, onSynced, version: null, listedAt: 0 }, deps);
      return { close: () => own.abort(), synced: synced.promise };
    },
  };
}

function guarded<T>(
  kind: Kind,
  onEvent: (type: WatchEventType, object: T) => void,
  signal: AbortSignal,
  log: Log,
): (type: WatchEventType, object: T) => void {
  return (type, object) => {
    if (signal.aborted) return;
    try {
      onEvent(type, object);
    } catch (error) {
      log.warn("a watch callback failed", { kind, type, error: String(error) });
    }
  };
}

async function run<K extends Kind>(session: Session<K>, deps: WatchDeps): Promise<void> {
  const { limits, clock, ids, log } = deps;
  let backoffMs = limits.backoffMinMs;
  while (!session.signal.aborted) {
    const startedAt = clock.now();
    const failure = (await relist(session, deps)) ?? (await follow(session, deps));
    if (session.signal.aborted) return;
    if (failure) log.warn("a watch was interrupted", { kind: session.kind, reason: failure.message });
    if (clock.now() - startedAt >= HEALTHY_MS) backoffMs = limits.backoffMinMs;
    const jittered = backoffMs * (0.5 + ids.fraction() / 2);
    const waitMs = Math.max(jittered, failure?.retryAfterMs ?? 0);
    // A rejection only says that the watch was closed meanwhile.
    await delay(waitMs, undefined, { signal: session.signal }).catch(() => undefined);
    backoffMs = Math.min(backoffMs * 2, limits.backoffMaxMs);
  }
}

/** Null when there was no need, or when all is known again. */
async function relist<K extends Kind>(session: Session<K>, deps: WatchDeps): Promise<Failure | null> {
  if (session.version !== null && deps.clock.now() - session.listedAt < deps.limits.relistMs) return null;
  const listed = await deps.lister.listing(session.kind, session.options, session.signal);
  if (!listed.ok) return listed.failure;
  session.version = listed.value.resourceVersion;
  session.listedAt = deps.clock.now();
  session.known.replace(listed.value.objects);
  session.onSynced();
  return null;
}

/** Watches until the connection ends; null when it ended as it should, at its time. */
async function follow<K extends Kind>(session: Session<K>, deps: WatchDeps): Promise<Failure | null> {
  const { transport, clock, limits } = deps;
  const relistInMs = session.listedAt + limits.relistMs - clock.now();
  const lastsMs = Math.max(1000, Math.min(limits.watchMs, relistInMs));
  const query = selection(session.options);
  query.set("watch", "true");
  query.set("allowWatchBookmarks", "true");
  query.set("resourceVersion", session.version ?? "");
  query.set("timeoutSeconds", String(Math.ceil(lastsMs / 1000)));
  const path = `${pathOf(session.kind, session.options)}?${query}`;
  const { subject, signal } = session;
  const opened = await transport.open({ subject, method: "GET", path, signal }, limits.silenceMs);
  if (!opened.ok) {
    if (opened.failure.kind === "gone") session.version = null;
    return opened.failure;
  }
  const stream = opened.value;
  const overdue = setTimeout(
    () => stream.destroy(new Error("the server did not end the watch")),
    lastsMs + GRACE_MS,
  );
  try {
    for await (const line of linesOf(stream, LINE_BYTES_MAX)) {
      const failure = take(session, deps, line);
      if (failure) return failure;
    }
    return null;
  } catch (error) {
    return networkFailure(subject, error);
  } finally {
    clearTimeout(overdue);
  }
}

/** Takes one event in. A failure means that only a new list can tell what is there. */
function take<K extends Kind>(session: Session<K>, deps: WatchDeps, line: string): Failure | null {
  const event = eventSchema.safeParse(jsonOrNull(line));
  if (!event.success) {
    session.version = null;
    return networkFailure(session.subject, new Error("a line of the watch is not an event"));
  }
  const { type, object } = event.data;
  switch (type) {
    case "ERROR":
      session.version = null;
      return watchFailure(session.subject, object);
    case "BOOKMARK":
      session.version = bookmarkSchema.safeParse(object).data?.metadata.resourceVersion ?? session.version;
      return null;
    case "ADDED":
    case "MODIFIED":
    case "DELETED": {
      const read = objectOf(session.subject, session.kind, object);
      if (!read.ok) {
        deps.log.warn("a watch event was left out", { kind: session.kind, reason: read.failure.message });
        return null;
      }
      if (type === "DELETED") session.known.absent(read.value);
      else session.known.present(read.value);
      session.version = read.value.resourceVersion;
      return null;
    }
    default:
      return unreachable(type);
  }
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
