/**
 * Hosts that drive a scene from inside its cluster, in our own image with exactly what infra/ ships for them.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { localName } from "../../infra/images/ordinal/image.ts";
import type { Scene } from "./e2e.ts";
import { type Revision, readManifests, startRevision } from "./knative-revision.ts";
import { type Sources, startSources } from "./knative-sources.ts";
import { applyKustomization, buildKustomization, INFRA } from "./kustomization.ts";

export interface Running {
  /** What it has logged is in the scene's lines afterwards. */
  stop(): Promise<void>;
}

export interface Driver<R extends Running = Running> {
  readonly name: string;
  /** Brings the host into the scene's namespace; resolves when it serves. */
  start(scene: Scene): Promise<R>;
}

interface KnativeRunning extends Running {
  readonly revision: Revision;
  readonly sources: Sources;
}

const [newName, newTag] = localName.split(/:(?=[^:]*$)/);
const images = [{ name: "ordinal", newName, newTag }];
const replacements = (path: string): unknown => parse(readFileSync(join(INFRA, path), "utf8"));

/** The strictest rules that a namespace can have, while the host's pods are made: servers of the scene need not keep to them. */
async function underRestrictions<T>({ cluster, ref }: Scene, work: () => Promise<T>): Promise<T> {
  const label = (value: string) =>
    cluster.kubectl(["label", "namespace", ref.namespace, `pod-security.kubernetes.io/enforce${value}`]);
  await label("=restricted");
  const made = await work();
  await label("-");
  return made;
}

export const deployment: Driver = {
  name: "deployment",
  start: (scene) =>
    underRestrictions(scene, async () => {
      const replicas = [{ name: "ordinal", count: 2 }];
      await applyKustomization(scene, {
        resources: ["deployment"],
        more: { images, replicas, replacements: replacements("deployment/job-image.yaml") },
      });
      await scene.kubectl("rollout", "status", "deployment/ordinal", "--timeout=120s");
      return { stop: () => noteLogs(scene) };
    }),
};

/** What we ship for Knative, with backups and these components, as kustomize puts it together. */
export function knativeManifests(
  scene: Pick<Scene, "kubectl" | "ref">,
  more: readonly string[] = [],
): Promise<string> {
  return buildKustomization(scene, {
    resources: ["knative"],
    components: ["knative/backups", ...more],
    more: { images, replacements: replacements("knative/own.yaml") },
  });
}

/** Our container in pods as Knative would run it, and what comes to it from Knative's sources. */
export const knative: Driver<KnativeRunning> = {
  name: "knative",
  start: (scene) =>
    underRestrictions(scene, async () => {
      const { service, others } = readManifests(await knativeManifests(scene));
      const apply = ["--namespace", scene.ref.namespace, "apply", "--filename=-"];
      await scene.cluster.kubectl(apply, JSON.stringify({ apiVersion: "v1", kind: "List", items: others }));
      const revision = await startRevision(scene, service);
      const sources = startSources(scene, revision.post);
      return {
        ...{ revision, sources },
        async stop() {
          sources.stop();
          await revision.stop();
        },
      };
    }),
};

/** What the host's pods have logged goes to where everything that was told is searched for secrets. */
async function noteLogs(scene: Scene): Promise<void> {
  const of = ["--selector=app.kubernetes.io/name=ordinal", "--all-containers", "--tail=-1"];
  scene.lines.push(await scene.kubectl("logs", ...of));
}
