/**
 * Passes that are made elsewhere: instead of looking at a cluster itself, this host sends the event that woke it, signed, to
 * the function that takes it, and learns from the answer when to come again. The queue in front of it makes one request of
 * a burst, sends one at a time for each cluster, and repeats what failed.
 */
import * as z from "zod";
import { binaryMessage } from "../../adapters/cloudevents/messages.ts";
import { type ClusterRef, clusterKey } from "../../model/cluster.ts";
import type { Clock } from "../../ports/host.ts";
import type { PassRequest, PassResult } from "../../reconcile/index.ts";
import type { CloudEvent } from "../cloud-event.ts";
import { changeEvent, readEvent } from "../events.ts";
import { type EventFunction, type Reaction, react } from "../functions.ts";
import { SIGNATURE_HEADER, sign } from "../signature.ts";

/** Somewhat above the 30 s that an HTTP API gives a function. */
const TIMEOUT_MS = 35_000;

const answerSchema = z.object({
  status: z.string(),
  passes: z
    .array(
      z.object({
        namespace: z.string(),
        name: z.string(),
        outcome: z.enum(["settled", "waiting", "blocked", "unmanaged"]),
        lookAgainMs: z.number().min(0).nullable(),
      }),
    )
    .default([]),
});

export interface ForwardOptions {
  /** Where the functions are: `/events/NAME` is added. */
  readonly url: URL;
  readonly secret: string;
  readonly functions: readonly EventFunction[];
  readonly clock: Clock;
}

export interface Forwarder {
  /** Keeps an event until its cluster has its turn. */
  note(event: CloudEvent, reaction: Reaction): void;
  pass(request: PassRequest): Promise<PassResult>;
}

/** What the answer says of this pass; a text = why it has to be repeated. */
async function post(
  url: URL,
  body: string,
  headers: Record<string, string>,
  { namespace, name }: ClusterRef,
) {
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await fetch(url, { method: "POST", body, headers, redirect: "error", signal });
    if (!response.ok) return `${url.host} answered ${response.status}`;
    const { passes } = answerSchema.parse(await response.json());
    return passes.find((pass) => pass.namespace === namespace && pass.name === name) ?? null;
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return `${url.host} gave no answer: ${cause instanceof Error ? cause.message : String(cause)}`;
  }
}

export function createForwarder({ url, secret, functions, clock }: ForwardOptions): Forwarder {
  const kept = new Map<string, { readonly event: CloudEvent; readonly urgent: boolean }>();

  function takerOf(event: CloudEvent): EventFunction | undefined {
    const read = readEvent(event);
    if (!read.ok) return undefined;
    const wakes = functions.map((fn) => ({ fn, wake: react([fn], [read.value]).wakes[0] }));
    const urgent = wakes.find(({ wake }) => wake?.priority === "high");
    return (urgent ?? wakes.find(({ wake }) => wake !== undefined))?.fn;
  }

  return {
    note(event, { wakes }) {
      for (const { ref, priority } of wakes) {
        const before = kept.get(clusterKey(ref));
        if (before?.urgent !== true) kept.set(clusterKey(ref), { event, urgent: priority === "high" });
      }
    },
    async pass({ ref, entry }) {
      const key = clusterKey(ref);
      const resourceVersion = entry?.resourceVersion ?? String(clock.now());
      const object = { ...ref, uid: entry?.uid ?? "sweep", resourceVersion, labels: {} };
      const event = kept.get(key)?.event ?? changeEvent("update", "StatefulSet", object, clock.now());
      kept.delete(key);
      const fn = takerOf(event);
      const to = new URL(`events/${fn?.name ?? "cluster-changed"}`, url.href.replace(/\/?$/, "/"));
      const message = binaryMessage(event);
      const signature = sign(secret, { ...message, path: to.pathname }, clock.now());
      const headers = { ...message.headers, [SIGNATURE_HEADER]: signature };
      const answer = await post(to, message.body, headers, ref);
      const nothing = { ref, phase: null, memory: null, silent: new Set<number>(), lookAgainMs: null };
      if (typeof answer === "string") return { ...nothing, outcome: "failed", message: answer };
      const { outcome = "settled", lookAgainMs = null } = answer ?? {};
      return { ...nothing, outcome, lookAgainMs, message: `passed by ${to.href}` };
    },
  };
}
