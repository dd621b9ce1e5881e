/**
 * What a function is to every host: a name, the events it accepts, and a pure mapping from one of them to
 * wakes. Hosts differ only in how an event reaches `receive` and what they do with the wakes. Nothing here
 * reads or writes; a wake names a cluster and says nothing about it.
 */
import { clusterKey, type Priority, type Wake } from "../model/cluster.ts";
import type { HttpMessage } from "./cloud-event.ts";
import {
  type Change,
  type ChangeEvent,
  type IncomingEvent,
  type RequestEvent,
  readMessage,
  type TickEvent,
} from "./events.ts";

export interface Reaction {
  readonly wakes: readonly Wake[];
  /** The whole fleet is to be looked through for what is due. */
  readonly sweep: boolean;
  /** Clusters of which a backup is due are to be found. */
  readonly backups: boolean;
  /** Clusters whose logs are to be archived are to be found. */
  readonly archives: boolean;
}

export const NOTHING: Reaction = { wakes: [], sweep: false, backups: false, archives: false };
export const SWEEP: Reaction = { ...NOTHING, sweep: true };
export const DUE_BACKUPS: Reaction = { ...NOTHING, backups: true };
export const ARCHIVES: Reaction = { ...NOTHING, archives: true };

/** Called with events that match one of `accepts` only. */
export type EventFunction =
  | {
      readonly name: string;
      readonly on: "change";
      readonly accepts: readonly { readonly kind: string; readonly changes: readonly Change[] }[];
      readonly handle: (event: ChangeEvent) => Reaction;
    }
  | {
      readonly name: string;
      readonly on: "tick";
      /** CloudEvent types. */
      readonly accepts: readonly string[];
      readonly handle: (event: TickEvent) => Reaction;
    };

/** The reaction of a function that found the cluster's name; none without a name. */
export function wakeCluster(event: ChangeEvent, name: string | null, priority: Priority): Reaction {
  if (name === null) return NOTHING;
  const { namespace, kind, name: objectName } = event.object;
  const cause = `${kind} ${objectName} ${event.change}`;
  const traced = event.origin !== undefined && { origins: [event.origin] };
  return { ...NOTHING, wakes: [{ ref: { namespace, name }, cause, priority, ...traced }] };
}

/** `mysql-0` -> `mysql`: a StatefulSet's Pods are named by it and an ordinal. Null for any other name. */
export function clusterOfPod(podName: string): string | null {
  return /^(.+)-(?:0|[1-9]\d{0,8})$/.exec(podName)?.[1] ?? null;
}

/** `mysql-primary` -> `mysql`, as `mysql-replicas`: the Services that Ordinal makes. Null for any other name. */
export function clusterOfService(serviceName: string): string | null {
  return /^(.+)-(?:primary|replicas)$/.exec(serviceName)?.[1] ?? null;
}

const BACKUP_ENDING = /^(.+)-(?:backup-\d{14}-\d|proof-\d{14}-\d{14})$/;
const RESTORE_ENDING = /^(.+?)-(?:(?:check|fill|exchange)(?:-back)?|forget)-[0-9a-f]{8}-\d+-\d+$/;

/** `mysql-backup-20261123030000-1` -> `mysql`, as of a proof or a restore. Null for any other name, and wrong for one that was cut. */
export function clusterOfJob(jobName: string): string | null {
  return (BACKUP_ENDING.exec(jobName) ?? RESTORE_ENDING.exec(jobName))?.[1] ?? null;
}

function reactionOf(fn: EventFunction, event: IncomingEvent): Reaction | null {
  if (fn.on === "tick") {
    return event.kind === "tick" && fn.accepts.includes(event.type) ? fn.handle(event) : null;
  }
  if (event.kind !== "change") return null;
  const { change, object } = event;
  const accepted = fn.accepts.some(({ kind, changes }) => kind === object.kind && changes.includes(change));
  return accepted ? fn.handle(event) : null;
}

/** What all functions of a host together make of these events: one wake a cluster, the more urgent one. */
export function react(functions: readonly EventFunction[], events: readonly IncomingEvent[]): Reaction {
  const wakes = new Map<string, Wake>();
  let [sweep, backups, archives] = [false, false, false];
  for (const event of events) {
    for (const fn of functions) {
      const reaction = reactionOf(fn, event) ?? NOTHING;
      sweep ||= reaction.sweep;
      backups ||= reaction.backups;
      archives ||= reaction.archives;
      for (const wake of reaction.wakes) {
        const key = clusterKey(wake.ref);
        if (!wakes.has(key) || wake.priority === "high") wakes.set(key, wake);
      }
    }
  }
  return { wakes: [...wakes.values()], sweep, backups, archives };
}

export interface Reception {
  /** 202 also for what no function accepts: asking the sender to repeat it would be pointless. */
  readonly status: 202 | 400;
  readonly message: string;
  readonly reaction: Reaction;
  /** At most one. */
  readonly requests: readonly RequestEvent[];
}

/**
 * One HTTP request with one event. A host that cannot take the wakes must answer 503, never 500:
 * ApiServerSource drops an event after a single 500.
 */
export function receive(functions: readonly EventFunction[], message: HttpMessage): Reception {
  const refuse = (reason: string): Reception => ({
    status: 400,
    message: reason,
    reaction: NOTHING,
    requests: [],
  });
  const event = readMessage(message);
  if (!event.ok) return refuse(event.failure.message);
  const requests = event.value.kind === "request" ? [event.value] : [];
  const reaction = react(functions, [event.value]);
  const accepted = reaction.sweep || reaction.backups || reaction.archives || reaction.wakes.length > 0;
  return { status: 202, message: accepted ? "accepted" : "ignored", reaction, requests };
}
