/**
 * What is written as it is: a pause, its end, and the approval of a failover. It waits for no turn and contradicts nothing that
 * is open, so it needs no ring: the same once more changes nothing. The next pass acts on it.
 */
import { ANNOTATION } from "../../annotations/keys.ts";
import { decodeState } from "../../annotations/state.ts";
import { oneLine } from "../../annotations/text.ts";
import type { StatefulSet } from "../../model/kube.ts";
import type { Plan } from "../../model/plan.ts";
import type { ClusterSetting } from "../../model/request.ts";
import { end, type HttpAnswer, json, type Passed, pass, problem, unavailable } from "./answers.ts";
import { findSet, isManaged } from "./clusters.ts";
import type { Asked, Tools } from "./function.ts";

function changeOf(setting: ClusterSetting): readonly [key: string, value: string | null] {
  switch (setting.kind) {
    case "pause":
      return [ANNOTATION.pause, "true"];
    case "resume":
      return [ANNOTATION.pause, null];
    case "approve":
      return [ANNOTATION.approve, `e${setting.epoch}`];
  }
}

/** An approval of another epoch than the next would have no effect, or one that nobody can foresee. */
function pointless(setting: ClusterSetting, set: StatefulSet): HttpAnswer | null {
  if (setting.kind !== "approve") return null;
  const { annotations, uid, name } = set;
  const read = decodeState(annotations[ANNOTATION.state], uid);
  if (read.kind === "valid" && setting.epoch === read.state.epoch + 1) return null;
  const wanted = read.kind === "valid" ? `into epoch ${read.state.epoch + 1}` : "of no known epoch";
  return problem(422, `The next failover of ${name} would be ${wanted}: approve that one.`);
}

/** Nothing has to be looked at to say what a pause does. */
const NO_STEPS: Plan = { stages: [], complete: true };

async function planOf({ ref }: Asked, setting: ClusterSetting, tools: Tools): Promise<Passed<Plan>> {
  if (setting.kind === "pause") return pass(NO_STEPS);
  const previewed = await tools.preview(ref, setting);
  if (!previewed.ok) return end(unavailable(previewed.failure, tools.log));
  const { refused, plan } = previewed.value;
  if (refused === null) return pass(plan);
  return end(problem(422, oneLine(refused.message, 400), { code: refused.code }));
}

export async function writeSetting(asked: Asked, setting: ClusterSetting, tools: Tools): Promise<HttpAnswer> {
  const found = await findSet(asked, tools, isManaged);
  if (!found.ok) return found.answer;
  const refusal = pointless(setting, found.value);
  if (refusal !== null) return refusal;
  if (asked.dryRun) {
    const plan = await planOf(asked, setting, tools);
    return plan.ok ? json(200, { plan: plan.value }) : plan.answer;
  }
  const [annotation, value] = changeOf(setting);
  const change = { uid: found.value.uid, annotations: { [annotation]: value } };
  const written = await tools.kube.patch("StatefulSet", asked.ref, change);
  return written.ok ? json(200, { annotation, value }) : unavailable(written.failure, tools.log);
}
