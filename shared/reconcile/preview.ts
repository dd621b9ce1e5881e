/**
 * What would be done if something were asked for: looks at the cluster as a pass does, and rehearses. It changes
 * nothing; whoever asks for it really may meet another cluster by then.
 */
import { REFUSALS } from "../annotations/requests.ts";
import { rehearse } from "../decide/rehearse.ts";
import { describeStep } from "../execute/index.ts";
import { type ClusterRef, clusterKey } from "../model/cluster.ts";
import { type Decision, stepsOf } from "../model/decision.ts";
import type { Observed } from "../model/observed.ts";
import { type Outcome, succeed } from "../model/outcome.ts";
import type { ClusterRequest, Preview } from "../model/request.ts";
import { observe } from "../observe/index.ts";
import { engineOf, type ReconcileContext } from "./index.ts";

const REFUSING: ReadonlySet<string> = new Set(Object.values(REFUSALS).flat());
/** What people need not be told one by one. */
const QUIET: ReadonlySet<string> = new Set(["Event", "Record", "LabelPod", "AnnotateClaim", "EnsureService"]);

export async function preview(
  { kube, servers, engines, clock, component }: ReconcileContext,
  ref: ClusterRef,
  request: ClusterRequest,
): Promise<Outcome<Preview>> {
  const set = await kube.read("StatefulSet", ref);
  if (!set.ok) return set;
  const engine = engineOf({ engines }, set.value);
  const looked = await observe(
    {
      ...{ kube, servers, engine, attributes: { program_name: component, cluster: clusterKey(ref) } },
      ...{ surroundings: null, recent: false, refusal: null, impatient: new Set<number>() },
    },
    set.value,
  );
  if (!looked.ok) return looked;
  return succeed(previewOf(rehearse(asked(looked.value.observed, request), engine.rules, clock.now())));
}

function asked(observed: Observed, request: ClusterRequest): Observed {
  const { wish } = observed;
  if (wish.spec === null) return observed;
  const more =
    request.kind === "scale" ? { replicas: request.wish.replicas } : { switchoverTo: request.wish.to };
  return { ...observed, wish: { ...wish, spec: { ...wish.spec, ...more } } };
}

export function previewOf(decisions: readonly Decision[]): Preview {
  const [first] = decisions;
  const stands = first?.problems.find(({ code, blocks }) => blocks || REFUSING.has(code));
  const refused = stands === undefined ? null : { code: stands.code, message: stands.message };
  if (refused !== null) return { steps: [], refused };
  const steps = decisions.flatMap((decision) => [
    decision.why,
    ...stepsOf(decision)
      .filter(({ kind }) => !QUIET.has(kind))
      .map((step) => `- ${describeStep(step)}`),
  ]);
  return { steps, refused };
}
