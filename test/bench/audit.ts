/** Counts requests in the API server's audit log (one JSON object a line). */
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";

export interface Audited {
  /** Anything that changes an object. */
  readonly writes: number;
  /** Lists of StatefulSets: one for each sweep. */
  readonly sweeps: number;
  /** Lists of pods: one for each look at a cluster. */
  readonly looks: number;
  /** Lists with which a watch begins anew, at the latest every ten minutes; they are for all namespaces. */
  readonly relists: number;
  /** Whatever else was read. Watches are connections and no reads. */
  readonly otherReads: number;
}

interface Line {
  readonly verb: string;
  readonly stage: string;
  readonly userAgent?: string;
  readonly requestReceivedTimestamp: string;
  readonly objectRef?: { readonly resource?: string; readonly namespace?: string };
}

const WRITES: ReadonlySet<string> = new Set(["create", "update", "patch", "delete", "deletecollection"]);

export interface AuditQuery {
  /** How the user agent begins. */
  readonly agent: string;
  readonly from: Date;
  readonly to: Date;
  /** Absent = all. */
  readonly namespace?: string;
}

export async function readAudit(path: string, { agent, from, to, namespace }: AuditQuery): Promise<Audited> {
  const counts = { writes: 0, sweeps: 0, looks: 0, relists: 0, otherReads: 0 };
  for await (const text of createInterface({ input: createReadStream(path) })) {
    if (!text.includes(agent)) continue;
    const { verb, stage, userAgent, requestReceivedTimestamp, objectRef }: Line = JSON.parse(text);
    const at = Date.parse(requestReceivedTimestamp);
    const ours = userAgent?.startsWith(agent) === true && stage === "ResponseComplete" && verb !== "watch";
    if (!ours || at < from.getTime() || at > to.getTime()) continue;
    if (namespace !== undefined && objectRef?.namespace !== namespace) continue;
    if (WRITES.has(verb)) counts.writes += 1;
    else if (verb === "list" && objectRef?.resource === "statefulsets") counts.sweeps += 1;
    else if (verb === "list" && objectRef?.namespace === undefined) counts.relists += 1;
    else if (verb === "list" && objectRef?.resource === "pods") counts.looks += 1;
    else counts.otherReads += 1;
  }
  return counts;
}
