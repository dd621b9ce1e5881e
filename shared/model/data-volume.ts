/**
 * Which container of a StatefulSet serves the database, and which volume that container has its data on: what a Job needs
 * to know that runs the same programs, or works on the same volume.
 */
import type { EngineRules } from "./engine.ts";
import type { SetContainer, StatefulSet, VolumeMount } from "./kube.ts";
import { fail, type Outcome, succeed } from "./outcome.ts";

type Serving = Pick<EngineRules, "name" | "port">;

/** The one that serves the database; others beside it do something else. Null = the set has no container. */
export function databaseContainer({ containers }: StatefulSet, { name, port }: Serving): SetContainer | null {
  const serving = containers.find(({ ports }) => ports.includes(port));
  return serving ?? containers.find((container) => container.name === name) ?? containers[0] ?? null;
}

/**
 * How the volume of each member is mounted where the database is served. `refused`, with what to do, where it cannot be
 * told on which volume or in which folder of it the data is.
 */
export function dataVolumeOf(set: StatefulSet, rules: Serving): Outcome<VolumeMount> {
  const [template] = set.claimTemplates;
  const no = (why: string) =>
    fail("refused", `${set.name} ${why}, so a restore cannot be done on its volumes.`);
  if (template === undefined) return no("has no volume claim template");
  const mounts = databaseContainer(set, rules)?.mounts ?? [];
  const claimed = mounts.filter(({ name }) => set.claimTemplates.includes(name));
  const names = new Set(claimed.map(({ name }) => name));
  if (names.size > 1) return no(`has its database on several volumes (${[...names].join(", ")})`);
  const [mount] = claimed;
  if (mount?.name !== template) return no(`does not mount ${template} where the database is served`);
  if (claimed.length > 1) return no(`mounts several folders of ${template}`);
  if (mount.varies) return no(`mounts ${template} with a subPathExpr`);
  return succeed(mount);
}
