/**
 * Follows what Ordinal tells about itself in Kubernetes Events and puts it into the timeline, in its words:
 * what a user would see with `kubectl get events`. It looks on and takes no part.
 */
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import type { Cluster } from "../../test/support/cluster-access.ts";
import type { Tale } from "./tale.ts";

const eventsSchema = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ uid: z.string() }),
      reportingController: z.string().optional(),
      type: z.string().optional(),
      reason: z.string(),
      note: z.string().optional(),
      eventTime: z.string().nullish(),
    }),
  ),
});

const EVERY_MS = 400;

export interface Witness {
  stop(): Promise<void>;
}

export function followEvents(cluster: Cluster, namespace: string, tale: Tale): Witness {
  const told = new Set<string>();
  let following = true;
  async function look(): Promise<void> {
    const raw = await cluster.read(`/apis/events.k8s.io/v1/namespaces/${namespace}/events`);
    const fresh = eventsSchema
      .parse(raw)
      .items.filter(({ reportingController }) => reportingController?.startsWith("ordinal.dev/"))
      .filter(({ metadata }) => !told.has(metadata.uid))
      .toSorted((a, b) => ((a.eventTime ?? "") < (b.eventTime ?? "") ? -1 : 1));
    for (const { metadata, reason, note, type, eventTime } of fresh) {
      told.add(metadata.uid);
      const at = eventTime ? Date.parse(eventTime) - performance.timeOrigin : undefined;
      tale.say("ordinal", `${type === "Warning" ? "! " : ""}${reason}: ${note ?? ""}`, at);
    }
  }
  async function follow(): Promise<void> {
    while (following) {
      // One lost look costs nothing: the next one tells it all.
      await look().catch(() => undefined);
      await sleep(EVERY_MS);
    }
    await look().catch(() => undefined);
  }
  const ended = follow();
  return {
    async stop() {
      following = false;
      await ended;
    },
  };
}
