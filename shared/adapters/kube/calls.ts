/**
 * The port `Kube` over REST. Reads and lists name no resourceVersion, which makes them quorum reads; every
 * change of an object that exists carries its uid, so that a namesake is never changed in its place.
 */
import type { Kind, KubeKinds, ObjectRef } from "../../model/kube.ts";
import { type Outcome, succeed } from "../../model/outcome.ts";
import type { Kube } from "../../ports/kube.ts";
import { manifestDocument, patchDocument, removalDocument } from "./documents.ts";
import type { Subject } from "./failures.ts";
import { pathOf } from "./kinds.ts";
import type { Lister } from "./lists.ts";
import type { Transport } from "./transport.ts";

export function createCalls(transport: Transport, lister: Lister): Kube {
  return {
    async read(kind, ref) {
      const subject = subjectOf("read", kind, ref);
      const answer = await transport.send({ subject, method: "GET", path: pathOf(kind, ref) });
      return answer.ok ? await objectOf(subject, kind, answer.value) : answer;
    },
    async list(kind, options) {
      const listed = await lister.listing(kind, options);
      return listed.ok ? succeed(listed.value.objects) : listed;
    },
    async create(kind, manifest) {
      const subject = subjectOf("create", kind, manifest);
      const path = pathOf(kind, { namespace: manifest.namespace });
      const document = manifestDocument(kind, manifest);
      const answer = await transport.send({ subject, method: "POST", path, document });
      return answer.ok ? await objectOf(subject, kind, answer.value) : answer;
    },
    async patch(kind, ref, patch) {
      const subject = subjectOf("patch", kind, ref);
      const document = patchDocument(kind, patch);
      const answer = await transport.send({ subject, method: "PATCH", path: pathOf(kind, ref), document });
      return answer.ok ? await objectOf(subject, kind, answer.value) : answer;
    },
    async remove(kind, ref) {
      const subject = subjectOf("remove", kind, ref);
      const document = removalDocument(ref);
      const answer = await transport.send({ subject, method: "DELETE", path: pathOf(kind, ref), document });
      return answer.ok || answer.failure.kind === "gone" ? succeed(null) : answer;
    },
  };
}

async function objectOf<K extends Kind>(
  subject: Subject,
  kind: K,
  json: unknown,
): Promise<Outcome<KubeKinds[K]>> {
  const objects = await import("./objects.ts");
  return objects.objectOf(subject, kind, json);
}

function subjectOf(verb: Subject["verb"], kind: Kind, ref: ObjectRef): Subject {
  return { verb, kind, namespace: ref.namespace, name: ref.name };
}
