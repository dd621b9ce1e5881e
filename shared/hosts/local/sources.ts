/**
 * Where a resident host's events come from: watches on the API server, turned into what ApiServerSource
 * would have sent, and a tick. Both only say that something happened; a source that goes silent costs
 * time until the next sweep, never correctness.
 */
import type { CloudEvent } from "cloudevents";
import { schedule } from "node-cron";
import { LABEL } from "../../annotations/keys.ts";
import { clusterKey } from "../../model/cluster.ts";
import { assert } from "../../model/outcome.ts";
import type { Clock } from "../../ports/host.ts";
import type { ListOptions, Watches } from "../../ports/kube.ts";
import { changeEvent, sweepEvent } from "../events.ts";
import { isManaged } from "../sweep.ts";

export type Emit = (event: CloudEvent<unknown>) => void;

export interface Subscription {
  close(): void;
  /** Resolves when everything that exists already has been reported. */
  readonly synced: Promise<void>;
}

export type EventSource = (emit: Emit) => Subscription;

const MANAGED_PODS = { [LABEL.managed]: "true" };
const OUR_SERVICES = { "app.kubernetes.io/managed-by": "ordinal" };

function watchScope(watches: Watches, scope: ListOptions, clock: Clock, emit: Emit): Subscription[] {
  // A set that is no longer managed is reported once more, so that its pass sees that.
  const managed = new Set<string>();
  const report = (...parts: Parameters<typeof changeEvent>) => emit(changeEvent(...parts));
  return [
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
    watches.watch("Service", { ...scope, labels: OUR_SERVICES }, (change, service) => {
      report(change, "Service", service, clock.now());
    }),
  ];
}

export function watchSource(watches: Watches, scopes: readonly ListOptions[], clock: Clock): EventSource {
  return (emit) => {
    const subscriptions = scopes.flatMap((scope) => watchScope(watches, scope, clock, emit));
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
    // In UTC, since node-cron stands still for an hour when a local clock is set back.
    const options = { timezone: "UTC", suppressMissedWarning: true };
    const expression = periodSeconds === 60 ? "0 * * * * *" : `*/${periodSeconds} * * * * *`;
    const task = schedule(expression, () => emit(sweepEvent(clock.now())), options);
    return { close: () => void task.destroy(), synced: Promise.resolve() };
  };
}
