/** What the cases of the Kubernetes contract are run on, and the words that they share. */
import { expect } from "vitest";
import type { Kind, KubeKinds, ObjectRef } from "../../shared/model/kube.ts";
import type { FailureKind, Outcome } from "../../shared/model/outcome.ts";
import type { Kube, Watches } from "../../shared/ports/kube.ts";

export type Json = { readonly [key: string]: unknown };

/** One API server with a namespace for us, and with everything beside the port that the cases need. */
export interface Subject {
  readonly kube: Kube;
  readonly watches: Watches;
  /** Lists again after every interruption, where `watches` takes up where it was. */
  readonly relistingWatches: Watches;
  readonly namespace: string;
  /** Somebody else changes an object: a merge patch without conditions. */
  change(kind: Kind, ref: ObjectRef, json: Json): Promise<void>;
  raw(kind: Kind, ref: ObjectRef): Promise<Json>;
  /** Between the cut and the mending no watch hears anything; the calls of `kube` are not cut off. */
  cut(): void;
  mend(): void;
  /** The set's controller makes its pod of ordinal 0, if it does not do so by itself. */
  startPod(set: KubeKinds["StatefulSet"]): void;
  /** Long enough for controllers to act on what they have seen. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

export async function secret(
  { kube, namespace }: Subject,
  name: string,
  labels: Readonly<Record<string, string>>,
): Promise<KubeKinds["Secret"]> {
  return value(await kube.create("Secret", { namespace, name, labels, body: {} }));
}

export function service(selector: Json): Json {
  return { spec: { clusterIP: "None", ports: [{ name: "db", port: 3306 }], selector } };
}

export function value<T>(outcome: Outcome<T>): T {
  if (!outcome.ok) throw new Error(`${outcome.failure.kind}: ${outcome.failure.message}`);
  return outcome.value;
}

export function failure(outcome: Outcome<unknown>): FailureKind | null {
  return outcome.ok ? null : outcome.failure.kind;
}

export function part(json: Json, key: string): Json {
  return (json[key] ?? {}) as Json;
}

export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  await expect.poll(holds, { timeout: 20_000, interval: 20 }).toBe(true);
}
