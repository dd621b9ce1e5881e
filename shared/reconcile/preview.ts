/**
 * What would be done now, or if something were asked for: looks at the cluster as a pass does, and rehearses. It changes
 * nothing; whoever asks for it really may meet another cluster by then.
 */
import { ANNOTATION } from "../annotations/keys.ts";
import { REFUSALS, wishAnnotation } from "../annotations/requests.ts";
import { restoreWish } from "../annotations/restore-wish.ts";
import { type ClusterRef, clusterKey } from "../model/cluster.ts";
import type { Problem } from "../model/condition.ts";
import type { Observed } from "../model/observed.ts";
import { type Outcome, succeed } from "../model/outcome.ts";
import type { Preview } from "../model/plan.ts";
import type { ClusterRequest } from "../model/request.ts";
import type { Spec } from "../model/spec.ts";
import { observe } from "../observe/index.ts";
import type { Engine } from "../ports/engine.ts";
import { engineOf, type ReconcileContext } from "./index.ts";
import { rehearse } from "./rehearse.ts";

export type Asked =
  | ClusterRequest
  /** Of the backup of this slot; null = the newest. */
  | { readonly kind: "prove"; readonly slot: string | null }
  /** Nothing is asked for: what the next pass would do by itself. */
  | { readonly kind: "plan" }
  | { readonly kind: "resume" }
  | { readonly kind: "approve"; readonly epoch: number };

export type PreviewContext = Pick<ReconcileContext, "kube" | "servers" | "engines" | "clock" | "component">;

/** As a pass looks, at all of it. */
export async function look(
  { kube, servers, engines, component }: PreviewContext,
  ref: ClusterRef,
): Promise<Outcome<{ readonly observed: Observed; readonly engine: Engine }>> {
  const set = await kube.read("StatefulSet", ref);
  if (!set.ok) return set;
  const engine = engineOf({ engines }, set.value);
  const looked = await observe(
    {
      ...{ kube, servers, engine, attributes: { program_name: component, cluster: clusterKey(ref) } },
      ...{ surroundings: null, recent: false, refusal: null, archive: null, impatient: new Set<number>() },
    },
    set.value,
  );
  return looked.ok ? succeed({ observed: looked.value.observed, engine }) : looked;
}

export async function preview(
  context: PreviewContext,
  ref: ClusterRef,
  asked: Asked,
): Promise<Outcome<Preview>> {
  const looked = await look(context, ref);
  if (!looked.ok) return looked;
  const { engine, observed } = looked.value;
  const { clock, component } = context;
  return succeed(await previewOf(engine, observed, asked, { nowMs: clock.now(), component }));
}

function specOf(asked: Asked, { backup }: Spec): Partial<Spec> {
  switch (asked.kind) {
    case "backup":
      return { backup: backup && { ...backup, requested: asked.wish.method ?? backup.method } };
    case "prove":
      return { backup: backup && { ...backup, proofRequested: { slot: asked.slot } } };
    case "scale":
      return { replicas: asked.wish.replicas };
    case "restore": {
      const read = restoreWish(backup?.store ?? null)(wishAnnotation(asked).value);
      return "value" in read ? { restore: read.value } : {};
    }
    case "switchover":
      return { switchoverTo: asked.wish.to };
    case "resume":
      return { paused: false };
    case "approve":
      return { approvedEpoch: asked.epoch };
    case "plan":
      return {};
  }
}

/** The annotation that says the same, where one is written. */
function annotationOf(asked: Asked): Readonly<Record<string, string>> {
  switch (asked.kind) {
    case "plan":
    case "resume":
      return {};
    case "prove":
      return { [ANNOTATION.proveNow]: asked.slot ?? "true" };
    case "approve":
      return { [ANNOTATION.approve]: `e${asked.epoch}` };
    default: {
      const { key, value } = wishAnnotation(asked);
      return { [key]: value };
    }
  }
}

function withWish(observed: Observed, asked: Asked): Observed {
  const { wish, set } = observed;
  if (wish.spec === null) return observed;
  return {
    ...observed,
    set: { ...set, annotations: { ...set.annotations, ...annotationOf(asked) } },
    wish: { ...wish, spec: { ...wish.spec, ...specOf(asked, wish.spec) } },
  };
}

function refuses({ code, blocks }: Problem, asked: Asked): boolean {
  return blocks || ("wish" in asked && REFUSALS[asked.kind].includes(code));
}

/** Nothing is wrong with a cluster that has no store, until a backup is asked for. */
const NO_STORE: Problem = {
  code: "AnnotationInvalid",
  message: `${ANNOTATION.backupStore} is missing: set it to the name of the Secret of a store.`,
  blocks: true,
};

/** `wish`: with what is asked for. Of a restore that is not there only the store can be missing: it was checked before. */
function hasNoStore({ wish }: Observed, { kind }: Asked): boolean {
  if (wish.spec === null) return false;
  if (kind === "restore") return wish.spec.restore === null;
  return (kind === "backup" || kind === "prove") && wish.spec.backup === null;
}

/** From a snapshot alone. */
export async function previewOf(
  engine: Engine,
  observed: Observed,
  asked: Asked,
  at: { readonly nowMs: number; readonly component: string },
): Promise<Preview> {
  const wished = withWish(observed, asked);
  const { first, turns, complete } = await rehearse(engine, wished, at);
  const { why } = first;
  const wrong = hasNoStore(wished, asked) ? [...first.problems, NO_STORE] : first.problems;
  const stands = wrong.find((problem) => refuses(problem, asked));
  if (stands !== undefined) {
    const { code, message } = stands;
    return { plan: { stages: [], complete: true }, refused: { code, message }, why };
  }
  const stages = turns.map(({ decision, steps }) => ({ why: decision.why, steps: [...steps] }));
  return { plan: { stages, complete }, refused: null, why };
}
