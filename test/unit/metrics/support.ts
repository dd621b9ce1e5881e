/** A fleet on a simulated API server that has something to say of every metric, and how its metrics read. */
import { encodeBackups } from "../../../shared/annotations/backups.ts";
import { encodeConditions } from "../../../shared/annotations/conditions.ts";
import { ANNOTATION, LABEL } from "../../../shared/annotations/keys.ts";
import { encodeMemberRecord } from "../../../shared/annotations/member.ts";
import { encodeState } from "../../../shared/annotations/state.ts";
import { ERRANT_NOTE, type MemberRecord } from "../../../shared/model/member.ts";
import { memory } from "../../support/backups.ts";
import { condition, state } from "../annotations/support.ts";
import { openPlace, type Place, REF, tokenOf } from "../http/support.ts";

const PODS: readonly (readonly [Partial<MemberRecord>, boolean])[] = [
  [{ acks: true, lagMs: 300 }, true],
  [{ role: "primary", lagMs: null }, true],
  [{ role: "none", note: ERRANT_NOTE, lagMs: 61_000 }, false],
];

/** `shop/mysql` with an errant replica, and `shop/new`, which no pass has seen. */
export function populate({ sim, set, annotate }: Place): void {
  const uid = String((set()["metadata"] as { readonly uid: string }).uid);
  const failovers = ["2026-11-21T10:00:00.000Z", "2026-11-22T12:00:00.000Z", "2026-11-23T09:00:00.000Z"];
  const archive = {
    ...{
      since: "2026-11-20T00:00:00Z",
      heldTo: "2026-11-23T09:59:00Z",
      failure: null,
      purging: "usual" as const,
    },
    window: { from: "2026-11-21T00:00:00Z", gaps: 1, gapMs: 1_500 },
  };
  annotate({
    [ANNOTATION.phase]: "Degraded",
    [ANNOTATION.state]: encodeState({ ...state, clusterUid: uid, failovers }),
    [ANNOTATION.conditions]: encodeConditions([
      condition({ status: "False", observedGeneration: 1 }),
      condition({ type: "ErrantTransactions", reason: "ErrantTransactions" }),
      condition({ type: "NoSpareCopy", reason: "NoSpareCopy" }),
    ]),
    [ANNOTATION.backupStore]: "backups",
    [ANNOTATION.backupSchedule]: "0 3 * * 1-5",
    [ANNOTATION.archive]: "true",
    ...encodeBackups(memory({ clusterUid: uid, archive, failures: 2 })),
  });
  for (const [ordinal, [more, ready]] of PODS.entries()) {
    const record: MemberRecord = {
      ...{ role: "replica", note: "", serverUuid: null, version: null, acks: false, lagMs: null },
      ...{ at: "2026-11-23T09:00:00.000Z", ...more },
    };
    const ref = { ...REF, name: `mysql-${ordinal}` };
    sim.put("Pod", ref, {
      metadata: {
        labels: { app: "mysql", [LABEL.managed]: "true" },
        annotations: { [ANNOTATION.member]: encodeMemberRecord(record) },
        ownerReferences: [{ uid }],
      },
      status: { phase: "Running", conditions: [{ type: "Ready", status: ready ? "True" : "False" }] },
    });
  }
  sim.put(
    "StatefulSet",
    { ...REF, name: "new" },
    {
      metadata: { annotations: { [ANNOTATION.engine]: "mysql", [ANNOTATION.credentials]: "root" } },
      spec: {
        replicas: 1,
        selector: { matchLabels: { app: "new" } },
        serviceName: "new",
        template: { spec: {} },
      },
    },
  );
}

export async function scrape(place: Place, accept?: string): Promise<string> {
  const headers = accept === undefined ? {} : { accept };
  const reply = await place.send("GET", "/metrics", { token: tokenOf("scraper"), headers });
  if (reply.status !== 200) throw new Error(`${reply.status} ${reply.text}`);
  return reply.text;
}

/** The metrics of the fleet above; every metric has a sample. */
export async function exampleMetrics(accept?: string): Promise<string> {
  const place = openPlace(undefined, {
    lookedAtMs: ({ name }) => (name === "mysql" ? place.nowMs - 5_000 : null),
  });
  populate(place);
  return await scrape(place, accept);
}
