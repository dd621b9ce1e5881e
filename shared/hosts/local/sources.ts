/**
 * Where a resident host's events come from: watches on the API server, turned into what ApiServerSource
 * would have sent, and a tick. Both only say that something happened; a source that goes silent costs
 * time until the next sweep, never correctness.
 */
import { schedule } from "node-cron";
import { LABEL } from "../../annotations/keys.ts";
import { clusterKey } from "../../model/cluster.ts";
import { assert } from "../../model/outcome.ts";
import type { Clock } from "../../ports/host.ts";
import type { ListOptions, Watches } from "../../ports/kube.ts";
import type { CloudEvent } from "../cloud-event.ts";
import { backupCronEvent, changeEvent, sweepEvent } from "../events.ts";
import { isManaged } from "../sweep.ts";

export type Emit = (event: CloudEvent) => void;

export interface Subscription {
  close(): void;
  /** Resolves when everything that exists already has been reported. */
  readonly synced: Promise<void>;
}

export type EventSource = (emit: Emit) => Subscription;

const MANAGED_PODS = { [LABEL.managed]: "true" };
const OURS = { "app.kubernetes.io/managed-by": "ordinal" };

export interface Watching {
  readonly watches: Watches;
  readonly clock: Clock;
  /** Whether this host makes Jobs: rights to watch them are there for backups only. */
  readonly jobs: boolean;
}

function watchScope({ watches, clock, jobs }: Watching, scope: ListOptions, emit: Emit): Subscription[] {
  // A set that is no longer managed is reported once more, so that its pass sees that.
  const managed = new Set<string>();
  const report = (...parts: Parameters<typeof changeEvent>) => emit(changeEvent(...parts));
  const always = [
    watches.watch("StatefulSet", scope, (change, set) => {
      const key = clusterKey(set);
      const was = managed.delete(key);
      const is = isManaged(set);
      if (is && change !== "delete") managed.add(key);
      if (was || is) report(change, "StatefulSet", set, clock.now());
    }),
    // Pods without the label yet are reached by the status of their StatefulSet.
    watches.watch("Pod", { ...scope, labels: MANAGED_PODS }, (change, pod) => {
      report(change, "Pod", pod, clock.now());
    }),
    watches.watch("Service", { ...scope, labels: OURS }, (change, service) => {
      report(change, "Service", service, clock.now());
    }),
  ];
  if (!jobs) return always;
  const ended = watches.watch("Job", { ...scope, labels: OURS }, (change, job) => {
    report(change, "Job", job, clock.now());
  });
  return [...always, ended];
}

export function watchSource(watching: Watching, scopes: readonly ListOptions[]): EventSource {
  return (emit) => {
    const subscriptions = scopes.flatMap((scope) => watchScope(watching, scope, emit));
    return {
      close: () => {
        for (const subscription of subscriptions) subscription.close();
      },
      synced: Promise.all(subscriptions.map(({ synced }) => synced)).then(() => undefined),
    };
  };
}

/** `periodSeconds` must divide a minute: other steps of a cron field begin anew with each minute. */
export function tickSource(periodSeconds: number, clock: Clock): EventSource {
  assert(60 % periodSeconds === 0, `a sweep period of ${periodSeconds} s does not divide a minute`);
  return (emit) => {
    const expression = periodSeconds === 60 ? "0 * * * * *" : `*/${periodSeconds} * * * * *`;
    return subscribe(expression, () => emit(sweepEvent(clock.now())));
  };
}

/** Slots stand on full minutes. A second later they have come by a clock, too, that is somewhat behind. */
export function backupCronSource(clock: Clock): EventSource {
  return (emit) => subscribe("1 * * * * *", () => emit(backupCronEvent(clock.now())));
}

/** In UTC, since node-cron stands still for an hour when a local clock is set back. */
function subscribe(expression: string, onTick: () => void): Subscription {
  const task = schedule(expression, onTick, { timezone: "UTC", suppressMissedWarning: true });
  return { close: () => void task.destroy(), synced: Promise.resolve() };
}
