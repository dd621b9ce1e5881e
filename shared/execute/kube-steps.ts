/**
 * Steps on Kubernetes objects. Every change carries the uid of the object it was decided for; creating what
 * exists already is success when it is ours, since names are made from inputs.
 */

import { accountsSecretName, CONTROL_KEY, replicationKey } from "../access/index.ts";
import { lapsedResults } from "../annotations/backups.ts";
import { shrink } from "../annotations/budget.ts";
import { ANNOTATION, LABEL } from "../annotations/keys.ts";
import { isOfRestore } from "../model/job-order.ts";
import type { StatefulSet } from "../model/kube.ts";
import { fail, type Outcome, succeed } from "../model/outcome.ts";
import type { EventStep, KubeStep, RecordStep } from "../model/step.ts";
import type { Ids } from "../ports/host.ts";
import type { JobBodies } from "../ports/jobs.ts";
import type { Kube, Manifest } from "../ports/kube.ts";

export interface KubeScene {
  readonly kube: Kube;
  readonly ids: Ids;
  readonly set: StatefulSet;
  readonly port: number;
  readonly component: string;
  readonly now: () => string;
  /** Null = this host makes no Jobs. */
  readonly jobs: JobBodies | null;
}

const OWNER_KIND = { apiVersion: "apps/v1", kind: "StatefulSet" } as const;

/** Labels of everything that we create, after the recommended ones of Kubernetes. */
function ownLabels(set: StatefulSet): Readonly<Record<string, string>> {
  return {
    "app.kubernetes.io/managed-by": "ordinal",
    "app.kubernetes.io/instance": set.name,
    [LABEL.managed]: "true",
  };
}

function manifest({ set }: KubeScene, name: string, body: Manifest["body"]): Manifest {
  const owner = { ...OWNER_KIND, name: set.name, uid: set.uid };
  return { namespace: set.namespace, name, labels: ownLabels(set), owner, body };
}

/** The StatefulSet's controller writes its status whenever a pod changes, which is just when there is much to record. */
const STATUS_WRITES_MAX = 3;

/** Nothing that a decision rests on differs; the status does, or what was announced of the cluster. */
function nothingMeantChanged(before: StatefulSet, now: StatefulSet): boolean {
  const meant = ({ uid, generation, labels, annotations, deleting }: StatefulSet) =>
    JSON.stringify([
      uid,
      generation,
      deleting,
      Object.entries(labels).sort(),
      Object.entries({ ...annotations, [ANNOTATION.announced]: "" }).sort(),
    ]);
  return meant(before) === meant(now);
}

/**
 * The compare-and-swap. Returns the object as it is now, for the next write of this pass. A write of the status alone
 * is no conflict: the swap is tried again on the version that came of it.
 */
export async function record(scene: KubeScene, step: RecordStep): Promise<Outcome<StatefulSet>> {
  let { set } = scene;
  for (let attempt = 1; ; attempt += 1) {
    const written = await swap({ ...scene, set }, step);
    if (written.ok || written.failure.kind !== "conflict" || attempt > STATUS_WRITES_MAX) return written;
    const fresh = await scene.kube.read("StatefulSet", set);
    if (!fresh.ok || !nothingMeantChanged(set, fresh.value)) return written;
    set = fresh.value;
  }
}

function swap({ kube, set }: KubeScene, step: RecordStep): Promise<Outcome<StatefulSet>> {
  const { state, conditions, history, phase, backups, restore, answered, replicas } = step;
  const without = Object.fromEntries([...answered, ...lapsedResults(backups)].map((key) => [key, null]));
  return kube.patch("StatefulSet", set, {
    uid: set.uid,
    resourceVersion: set.resourceVersion,
    annotations: {
      ...shrink(set.annotations, { state, conditions, history, phase, backups, restore }),
      ...without,
    },
    labels: { [LABEL.managed]: step.managedLabel ? "true" : null },
    ...(replicas === null ? {} : { replicas }),
  });
}

/** 64 bits of SHA-256 as 16 characters. */
async function digestOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest).subarray(0, 8)]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}

/** An Event that the API server was asked to take. */
export interface Telling {
  readonly step: EventStep;
  readonly told: Promise<Outcome<null>>;
}

const TELLS_MAX = 3;

/** It is on its way when this resolves. Its name is made from what it says, so that a repeated step finds its own. */
export async function announce(scene: KubeScene, step: EventStep): Promise<Telling> {
  const name = `${scene.set.name}.${await digestOf(`${scene.set.uid}|${step.key}`)}`;
  const told = tell(scene, step, name);
  // An error in it is met by whoever awaits it, also when that is after something else has failed.
  told.catch(() => undefined);
  return { step, told };
}

async function tell(scene: KubeScene, step: EventStep, name: string): Promise<Outcome<null>> {
  const { kube, set, component } = scene;
  for (let attempt = 1; ; attempt += 1) {
    const created = await kube.create("Event", {
      namespace: set.namespace,
      name,
      body: {
        eventTime: scene.now().replace("Z", "000Z"),
        reportingController: "ordinal.dev/ordinal",
        reportingInstance: component,
        action: "Reconcile",
        type: step.type,
        reason: step.reason,
        note: step.message,
        regarding: { ...OWNER_KIND, namespace: set.namespace, name: set.name, uid: set.uid },
      },
    });
    if (created.ok || created.failure.kind === "conflict") return succeed(null);
    if (created.failure.kind !== "transient" || attempt === TELLS_MAX) return created;
  }
}

async function ensureAccounts(scene: KubeScene, ordinals: readonly number[]): Promise<Outcome<null>> {
  const { kube, set, ids } = scene;
  const name = accountsSecretName(set);
  const wanted = [CONTROL_KEY, ...ordinals.map(replicationKey)];
  const present = await kube.read("Secret", { namespace: set.namespace, name });
  if (!present.ok && present.failure.kind !== "gone") return present;
  if (!present.ok) {
    const stringData = Object.fromEntries(wanted.map((key) => [key, ids.password()]));
    const created = await kube.create("Secret", manifest(scene, name, { type: "Opaque", stringData }));
    return created.ok ? succeed(null) : created;
  }
  const { uid, resourceVersion, values: known } = present.value;
  const missing = wanted.filter((key) => known[key] === undefined);
  if (missing.length === 0) return succeed(null);
  const values = Object.fromEntries(missing.map((key) => [key, ids.password()]));
  const patched = await kube.patch(
    "Secret",
    { namespace: set.namespace, name },
    { uid, resourceVersion, values },
  );
  return patched.ok ? succeed(null) : patched;
}

async function ensureService(
  scene: KubeScene,
  step: Extract<KubeStep, { kind: "EnsureService" }>,
): Promise<Outcome<null>> {
  const { kube, set, port } = scene;
  const { name, seen, selector } = step;
  if (seen !== null) {
    const ref = { namespace: set.namespace, name };
    return withoutValue(await kube.patch("Service", ref, { ...seen, selector }));
  }
  const ports = [{ name: "database", port, targetPort: port }];
  return withoutValue(await kube.create("Service", manifest(scene, name, { spec: { selector, ports } })));
}

function withoutValue(outcome: Outcome<unknown>): Outcome<null> {
  return outcome.ok ? succeed(null) : outcome;
}

/**
 * Only while it is still the one that is remembered: an executor that was frozen would begin what is over. Of two that
 * come to it the second finds the Job of the first.
 */
async function startJob(
  scene: KubeScene,
  { name, task }: Extract<KubeStep, { kind: "StartJob" }>,
): Promise<Outcome<null>> {
  const { kube, set, jobs } = scene;
  if (jobs === null) return fail("refused", "this host does not know the image that Jobs for backups run");
  const fresh = await kube.read("StatefulSet", set);
  if (!fresh.ok) return fresh;
  const memory = isOfRestore(task) ? ANNOTATION.restore : ANNOTATION.backups;
  const same = fresh.value.uid === set.uid && fresh.value.annotations[memory] === set.annotations[memory];
  if (!same) return fail("conflict", `${memory} was replaced by something newer`);
  const created = await kube.create("Job", manifest(scene, name, jobs(task, set)));
  return !created.ok && created.failure.kind === "conflict" ? succeed(null) : withoutValue(created);
}

/** Each change is refused when the object is no longer as it was seen: the function may have been frozen. */
export async function runKubeStep(scene: KubeScene, step: KubeStep): Promise<Outcome<null>> {
  const { kube, set } = scene;
  const { namespace } = set;
  switch (step.kind) {
    case "EnsureAccounts":
      return ensureAccounts(scene, step.ordinals);
    case "EnsureService":
      return ensureService(scene, step);
    case "LabelPod": {
      const { pod: name, seen, labels, annotations } = step;
      return withoutValue(await kube.patch("Pod", { namespace, name }, { ...seen, labels, annotations }));
    }
    case "AnnotateClaim": {
      const { claim: name, seen, annotations } = step;
      return withoutValue(
        await kube.patch("PersistentVolumeClaim", { namespace, name }, { ...seen, annotations }),
      );
    }
    case "DeleteService":
      return kube.remove("Service", { namespace, name: step.name, ...step.seen });
    case "StartJob":
      return startJob(scene, step);
  }
}
