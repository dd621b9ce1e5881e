/**
 * `plan` and `--dry-run`: what would be done, from a look of this machine's own at the servers, with the rights of
 * whoever asks. It changes nothing. Where it cannot look it says so, and guesses no plan from what was recorded.
 */
import { ANNOTATION } from "../annotations/keys.ts";
import { wishAnnotation } from "../annotations/requests.ts";
import { mysql } from "../engines/mysql/index.ts";
import type { ClusterRef } from "../model/cluster.ts";
import { API_VERSION, type PlanDocument } from "../model/documents.ts";
import type { Pod } from "../model/kube.ts";
import type { Member, Observed } from "../model/observed.ts";
import { type Failure, fail, type Outcome, succeed } from "../model/outcome.ts";
import type { Clock } from "../ports/host.ts";
import type { Kube } from "../ports/kube.ts";
import { type Asked, look, previewOf } from "../reconcile/preview.ts";
import { readCluster } from "./read.ts";
import { renderPlan } from "./render-plan.ts";
import { type Answer, type Ask, failed, notACluster, print } from "./verbs.ts";

const COMPONENT = "ordinal/cli";
const ALSO =
  "A plan needs a look at the servers: the rights to get Secrets and to create pods/portforward, as the role edit has them, and kubectl. " +
  "Without them, ask Ordinal itself by HTTP with ?dryRun=true.";

/** Pods are reached by their names: the network of their addresses is another one. */
function byName(kube: Kube): Kube {
  return {
    ...kube,
    list: async (kind, options) => {
      const found = await kube.list(kind, options);
      if (!found.ok || kind !== "Pod") return found;
      const pods = (found.value as readonly Pod[]).map((pod) => ({
        ...pod,
        ip: pod.ip === null ? null : pod.name,
      }));
      return succeed(pods) as unknown as typeof found;
    },
  };
}

/** Whom Kubernetes calls ready and we cannot reach may well be fine, and its cluster too. Null = it is not so. */
export function outOfReach({ podName, pod, server }: Member): string | null {
  if (pod?.ready !== true || server.kind !== "unreachable") return null;
  return `${podName} is ready, but cannot be reached from here: ${server.reason}.`;
}

function cannotLook(failure: Failure): Answer {
  const answer = failed(failure);
  return answer.exitCode === 0 ? answer : { ...answer, complaint: `${answer.complaint}\n${ALSO}` };
}

/** As a pass looks, from here. */
export async function lookFromHere(ask: Ask, clock: Clock, ref: ClusterRef): Promise<Outcome<Observed>> {
  const { servers } = ask;
  const context = { kube: byName(ask.kube), servers, engines: { mysql }, clock, component: COMPONENT };
  const looked = await look(context, ref);
  return looked.ok ? succeed(looked.value.observed) : looked;
}

async function observed(ask: Ask, clock: Clock, ref: ClusterRef): Promise<Outcome<Observed>> {
  const looked = await lookFromHere(ask, clock, ref);
  if (!looked.ok) return looked;
  const [message] = looked.value.members.map(outOfReach).filter((one) => one !== null);
  return message === undefined ? looked : fail("transient", message);
}

/** What is written by whoever asks, in words. */
function wishOf(asked: Asked): string | null {
  switch (asked.kind) {
    case "plan":
      return null;
    case "resume":
      return `${ANNOTATION.pause} removed`;
    case "approve":
      return `${ANNOTATION.approve} = e${asked.epoch}`;
    case "prove":
      return `${ANNOTATION.proveNow} = ${asked.slot ?? "true"}`;
    case "scale":
    case "switchover":
    case "restore":
    case "backup": {
      const { key, value } = wishAnnotation(asked);
      return `${key} = ${value}`;
    }
  }
}

/** `wish`: what would be written, where it is more than is asked for. */
export async function plan(
  ask: Ask,
  clock: Clock,
  ref: ClusterRef,
  asked: Asked,
  wish: string | null = wishOf(asked),
): Promise<Answer> {
  const found = await readCluster(ask.kube, ref);
  if (!found.ok) return failed(found.failure);
  if (found.value.kind !== "cluster") return notACluster(found.value, ref);
  const seen = await observed(ask, clock, ref);
  if (!seen.ok) return cannotLook(seen.failure);
  const at = { nowMs: ask.here.nowMs, component: COMPONENT };
  const { plan: planned, refused, why } = await previewOf(mysql, seen.value, asked, at);
  if (refused !== null) return { exitCode: 2, complaint: `${refused.code}: ${refused.message}` };
  const document: PlanDocument = {
    ...{ apiVersion: API_VERSION, kind: "Plan", ...ref },
    ...{ wish, why, ...planned },
  };
  return print(document, ask, () => renderPlan(document, ask.paint));
}

/** Nothing has to be looked at to say what a pause does. */
export async function planPause(ask: Ask, ref: ClusterRef): Promise<Answer> {
  const found = await readCluster(ask.kube, ref);
  if (!found.ok) return failed(found.failure);
  if (found.value.kind !== "cluster") return notACluster(found.value, ref);
  const wish = `${ANNOTATION.pause} = true`;
  const why = "Ordinal looks and changes nothing, failovers included.";
  const document: PlanDocument = {
    ...{ apiVersion: API_VERSION, kind: "Plan", ...ref },
    ...{ wish, why, stages: [], complete: true },
  };
  return print(document, ask, () => renderPlan(document, ask.paint));
}
