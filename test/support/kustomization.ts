/** What we ship under infra/, put together by kustomize in the namespace of a scene, as a user does it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import type { Scene } from "./e2e.ts";

export const INFRA = join(import.meta.dirname, "../../infra");

export interface Kustomization {
  /** Folders under infra/. */
  readonly resources: readonly string[];
  readonly components?: readonly string[];
  /** Other fields of a kustomization, as they are written there. */
  readonly more?: Readonly<Record<string, unknown>>;
}

async function within<T>(
  { resources, components = [], more = {} }: Kustomization,
  namespace: string,
  use: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "ordinal-kustomization-"));
  try {
    const at = (path: string) => relative(folder, join(INFRA, path));
    const kustomization = {
      apiVersion: "kustomize.config.k8s.io/v1beta1",
      kind: "Kustomization",
      namespace,
      resources: resources.map(at),
      components: components.map(at),
      ...more,
    };
    writeFileSync(join(folder, "kustomization.yaml"), JSON.stringify(kustomization));
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

type Place = Pick<Scene, "kubectl" | "ref">;

export async function applyKustomization({ kubectl, ref }: Place, parts: Kustomization): Promise<void> {
  await within(parts, ref.namespace, (folder) => kubectl("apply", "--kustomize", folder));
}

/** The objects that would be applied, as YAML. */
export function buildKustomization({ kubectl, ref }: Place, parts: Kustomization): Promise<string> {
  return within(parts, ref.namespace, (folder) => kubectl("kustomize", folder));
}
