/**
 * The verbs, from parsed options to what is printed and the exit code: 0 done, 1 failed, 2 refused or wrong
 * use, 3 not done in time. A refusal is a sentence or two that say what to change; an operating error never shows a stack trace.
 */
import { stringify } from "yaml";
import { parseWish } from "../annotations/wish.ts";
import type { ClusterRef } from "../model/cluster.ts";
import { API_VERSION, type Document } from "../model/documents.ts";
import type { Here } from "../model/format.ts";
import type { ObjectRef, StatefulSet } from "../model/kube.ts";
import { type Failure, type Outcome, unreachable } from "../model/outcome.ts";
import type { Store } from "../model/store.ts";
import type { Examiner } from "../ports/examiner.ts";
import type { Kube } from "../ports/kube.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { Servers } from "../ports/server.ts";
import type { Progress } from "./progress.ts";
import { type Found, readCluster, readFleet } from "./read.ts";
import { type Look, renderCluster, renderFleet, renderHistory } from "./render.ts";
import { history } from "./snapshot.ts";
import type { Paint } from "./table.ts";

export type OutputFormat = "text" | "wide" | "json" | "yaml";

export type Answer =
  | { readonly exitCode: 0; readonly output: string; readonly remark?: string }
  /** `output`: what was done all the same. */
  | { readonly exitCode: 1 | 2 | 3; readonly complaint: string; readonly output?: string };

export interface Ask {
  readonly kube: Kube;
  readonly examiner: Examiner;
  readonly format: OutputFormat;
  readonly here: Here;
  readonly paint: Paint;
  /** By the names of their pods; only plans and examinations look at them. */
  readonly servers: Servers;
  /** To be closed by whoever opens it. */
  readonly openStore: (store: Store) => ObjectStore;
  /** Of a Job, as far as it is known; null = it is not. */
  readonly progressOf: (job: ObjectRef) => Progress | null;
  /** Prints the log of a Job, and with `follow` what is still to come of it. */
  readonly showLog: (job: ObjectRef, follow: boolean) => Promise<Outcome<null>>;
}

export function print(document: Document, { format }: Ask, text: () => string): Answer {
  switch (format) {
    case "json":
      return { exitCode: 0, output: `${JSON.stringify(document, null, 2)}\n` };
    case "yaml":
      return { exitCode: 0, output: stringify(document, { lineWidth: 0 }) };
    case "text":
    case "wide":
      return { exitCode: 0, output: text() };
    default:
      return unreachable(format);
  }
}

const look = ({ here, paint, format }: Ask): Look => ({ here, paint, wide: format === "wide" });

/** Permission and validation are for a person to change; everything else may work another time. */
export function failed({ kind, message }: Failure): Answer {
  return { exitCode: kind === "refused" ? 2 : 1, complaint: message };
}

export function notACluster(found: Exclude<Found, { kind: "cluster" }>, ref: ClusterRef): Answer {
  if (found.kind === "unmanaged") return unmanaged(found.set);
  const { similar, clusters } = found;
  const hint =
    similar.length > 0
      ? ` Did you mean ${similar.join(" or ")}?`
      : clusters.length > 0
        ? ` Ordinal manages here: ${clusters.join(", ")}.`
        : "";
  return {
    exitCode: 2,
    complaint: `There is no StatefulSet ${ref.name} in namespace ${ref.namespace}.${hint}`,
  };
}

function unmanaged(set: StatefulSet): Answer {
  const wrong = parseWish(set).problems.map(({ message }) => `\n  ${message}`);
  const command = `kubectl ordinal adopt ${set.name} -n ${set.namespace} --credentials SECRET`;
  return {
    exitCode: 2,
    complaint:
      `StatefulSet ${set.namespace}/${set.name} is not managed by Ordinal.${wrong.join("")}\n` +
      `  To have it managed, with the Secret of its root password: ${command}`,
  };
}

/** `namespace` null = all of them. */
export async function fleetStatus(ask: Ask, namespace: string | null): Promise<Answer> {
  const fleet = await readFleet(ask.kube, namespace);
  if (!fleet.ok) return failed(fleet.failure);
  const items = [...fleet.value];
  const answer = print({ apiVersion: API_VERSION, kind: "ClusterList", items }, ask, () =>
    items.length === 0 ? "" : renderFleet(items, look(ask)),
  );
  if (items.length > 0 || answer.exitCode !== 0) return answer;
  const where = namespace === null ? "in any namespace" : `in namespace ${namespace}`;
  const command = "kubectl ordinal adopt NAME --credentials SECRET";
  return { ...answer, remark: `Ordinal manages no StatefulSet ${where}. To begin: ${command}` };
}

export async function clusterStatus(ask: Ask, ref: ClusterRef): Promise<Answer> {
  const found = await readCluster(ask.kube, ref);
  if (!found.ok) return failed(found.failure);
  if (found.value.kind !== "cluster") return notACluster(found.value, ref);
  const { cluster, set } = found.value;
  return print({ apiVersion: API_VERSION, kind: "Cluster", ...cluster }, ask, () =>
    renderCluster(cluster, history(set).length > 0, look(ask)),
  );
}

export async function why(ask: Ask, ref: ClusterRef): Promise<Answer> {
  const found = await readCluster(ask.kube, ref);
  if (!found.ok) return failed(found.failure);
  if (found.value.kind !== "cluster") return notACluster(found.value, ref);
  const entries = [...history(found.value.set)];
  const document = { apiVersion: API_VERSION, kind: "History", ...ref, entries } as const;
  return print(document, ask, () => renderHistory(document, ask.here));
}
