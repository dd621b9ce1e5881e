/**
 * The JSON that is sent: new objects whole, changes as patches of our own keys, removals with the uid.
 * It must never send a field that the caller did not name, for the object has other writers.
 */

import type { Changes } from "../../model/changes.ts";
import type { Kind } from "../../model/kube.ts";
import { assert } from "../../model/outcome.ts";
import type { Manifest, Patch } from "../../ports/kube.ts";
import { KINDS } from "./kinds.ts";

export interface Document {
  readonly contentType: string;
  readonly body: unknown;
}

export function manifestDocument(kind: Kind, manifest: Manifest): Document {
  const { namespace, name, labels, annotations, owner, body } = manifest;
  const metadata = {
    namespace,
    name,
    ...(labels && { labels }),
    ...(annotations && { annotations }),
    ...(owner && { ownerReferences: [owner] }),
  };
  const whole = { ...body, apiVersion: KINDS[kind].apiVersion, kind, metadata };
  return { contentType: "application/json", body: whole };
}

/**
 * A merge patch sets keys and takes away those that are null, in one write. `metadata.uid` and
 * `metadata.resourceVersion` in it make the API server refuse when the object is another one or has changed.
 *
 * A Service's selector has to be replaced whole, which a merge patch cannot say. A strategic merge patch can
 * (`$patch: replace`), still in one write, whatever the present selector is, and with the same conditions and
 * answers; a read of the present selector would cost a call and open a gap, and a failed `test` of a JSON
 * patch comes back as an unspecific 422. Kubernetes' own kinds all take strategic merge patches.
 */
export function patchDocument(kind: Kind, patch: Patch): Document {
  const { uid, resourceVersion, labels, annotations, replicas, partition, values, selector } = patch;
  const isSet = kind === "StatefulSet";
  assert(replicas === undefined || isSet, `replicas in a patch of a ${kind}`);
  assert(partition === undefined || isSet, `a partition in a patch of a ${kind}`);
  assert(values === undefined || kind === "Secret", `values in a patch of a ${kind}`);
  assert(selector === undefined || kind === "Service", `a selector in a patch of a ${kind}`);
  const body = {
    metadata: {
      uid,
      ...(resourceVersion !== undefined && { resourceVersion }),
      ...(labels && { labels }),
      ...(annotations && { annotations }),
    },
    ...(replicas !== undefined || partition !== undefined ? { spec: specOf(patch) } : {}),
    ...(values && { data: encoded(values) }),
    ...(selector && { spec: { selector: { $patch: "replace", ...selector } } }),
  };
  const form = selector ? "strategic-merge-patch" : "merge-patch";
  return { contentType: `application/${form}+json`, body };
}

function specOf({ replicas, partition }: Pick<Patch, "replicas" | "partition">): Document["body"] {
  return {
    ...(replicas !== undefined && { replicas }),
    ...(partition !== undefined && { updateStrategy: { rollingUpdate: { partition } } }),
  };
}

function encoded(values: Changes): Changes {
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [
      key,
      value === null ? null : Buffer.from(value, "utf8").toString("base64"),
    ]),
  );
}

export function removalDocument(expected: Pick<Patch, "uid" | "resourceVersion">): Document {
  const { uid, resourceVersion } = expected;
  return {
    contentType: "application/json",
    body: {
      apiVersion: "v1",
      kind: "DeleteOptions",
      propagationPolicy: "Background",
      preconditions: { uid, ...(resourceVersion !== undefined && { resourceVersion }) },
    },
  };
}
