/**
 * Hosts that drive a scene from inside its cluster, in our own image with exactly what infra/ ships for them.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { localName } from "../../infra/images/ordinal/image.ts";
import type { Scene } from "./e2e.ts";
import { applyKustomization, INFRA } from "./kustomization.ts";

export interface Driver {
  readonly name: string;
  /** Brings the host into the scene's namespace; resolves when it serves. */
  start(scene: Scene): Promise<void>;
  /** Ends what is not in the namespace. */
  stop?(): Promise<void>;
}

const [newName, newTag] = localName.split(/:(?=[^:]*$)/);
export const images = [{ name: "ordinal", newName, newTag }];
const jobImage: unknown = parse(readFileSync(join(INFRA, "deployment/job-image.yaml"), "utf8"));

/** The strictest rules that a namespace can have, while the host's pods are made: servers of the scene need not keep to them. */
async function underRestrictions({ cluster, ref }: Scene, work: () => Promise<void>): Promise<void> {
  const label = (value: string) =>
    cluster.kubectl(["label", "namespace", ref.namespace, `pod-security.kubernetes.io/enforce${value}`]);
  await label("=restricted");
  await work();
  await label("-");
}

export const deployment: Driver = {
  name: "deployment",
  start: (scene) =>
    underRestrictions(scene, async () => {
      const replicas = [{ name: "ordinal", count: 2 }];
      await applyKustomization(scene, {
        resources: ["deployment"],
        more: { images, replicas, replacements: jobImage },
      });
      await scene.kubectl("rollout", "status", "deployment/ordinal", "--timeout=120s");
    }),
};

/** What the host's pods have logged goes to where everything that was told is searched for secrets. */
export async function noteLogs(scene: Scene): Promise<void> {
  const of = ["--selector=app.kubernetes.io/name=ordinal", "--all-containers", "--tail=-1"];
  scene.lines.push(await scene.kubectl("logs", ...of));
}
