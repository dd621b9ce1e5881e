/**
 * The port `Kube` over REST. Reads and lists name no resourceVersion, which makes them quorum reads; every
 * change of an object that exists carries its uid, so that a namesake is never changed in its place.
 */
import { z } from "zod";
import type { Kind, KubeKinds, ObjectRef } from "../../model/kube.ts";
import { fail, type Outcome, succeed } from "../../model/outcome.ts";
import type { Kube, ListOptions } from "../../ports/kube.ts";
import { manifestDocument, patchDocument, removalDocument } from "./documents.ts";
import type { Subject } from "./failures.ts";
import { KINDS, pathOf } from "./kinds.ts";
import type { Transport } from "./transport.ts";

export interface Listing<K extends Kind> {
  readonly objects: readonly KubeKinds[K][];
  /** Where a watch goes on from here. */
  readonly resourceVersion: string;
}

export interface Calls {
  readonly kube: Kube;
  listing<K extends Kind>(kind: K, options: ListOptions, signal?: AbortSignal): Promise<Outcome<Listing<K>>>;
}

/** A list is begun afresh when the server has forgotten its snapshot between two pages; so often at most. */
const LIST_ATTEMPTS_MAX = 3;
const PAGES_MAX = 1000;
const HTTP_GONE = 410;

const pageSchema = z.object({
  metadata: z.object({ resourceVersion: z.string(), continue: z.string().optional() }),
  items: z.array(z.unknown()).nullable(),
});

export function createCalls(transport: Transport, pageSize: number): Calls {
  const kube: Kube = {
    async read(kind, ref) {
      const subject = subjectOf("read", kind, ref);
      const answer = await transport.send({ subject, method: "GET", path: pathOf(kind, ref) });
      return answer.ok ? parsed(subject, kind, answer.value) : answer;
    },
    async list(kind, options) {
      const listed = await listing(kind, options);
      return listed.ok ? succeed(listed.value.objects) : listed;
    },
    async create(kind, manifest) {
      const subject = subjectOf("create", kind, manifest);
      const path = pathOf(kind, { namespace: manifest.namespace });
      const document = manifestDocument(kind, manifest);
      const answer = await transport.send({ subject, method: "POST", path, document });
      return answer.ok ? parsed(subject, kind, answer.value) : answer;
    },
    async patch(kind, ref, patch) {
      const subject = subjectOf("patch", kind, ref);
      const document = patchDocument(kind, patch);
      const answer = await transport.send({ subject, method: "PATCH", path: pathOf(kind, ref), document });
      return answer.ok ? parsed(subject, kind, answer.value) : answer;
    },
    async remove(kind, ref) {
      const subject = subjectOf("remove", kind, ref);
      const document = removalDocument(ref.uid);
      const answer = await transport.send({ subject, method: "DELETE", path: pathOf(kind, ref), document });
      return answer.ok || answer.failure.kind === "gone" ? succeed(null) : answer;
    },
  };

  async function listing<K extends Kind>(
    kind: K,
    options: ListOptions,
    signal?: AbortSignal,
  ): Promise<Outcome<Listing<K>>> {
    for (let attempt = 1; ; attempt += 1) {
      const listed = await allPages(kind, options, signal);
      if (listed.ok || listed.failure.code !== HTTP_GONE) return listed;
      const { message } = listed.failure;
      if (attempt === LIST_ATTEMPTS_MAX) return fail("transient", message, { code: HTTP_GONE });
    }
  }

  async function allPages<K extends Kind>(
    kind: K,
    options: ListOptions,
    signal: AbortSignal | undefined,
  ): Promise<Outcome<Listing<K>>> {
    const subject: Subject = {
      verb: "list",
      kind,
      ...(options.namespace && { namespace: options.namespace }),
    };
    const query = selection(options);
    query.set("limit", String(pageSize));
    const objects: KubeKinds[K][] = [];
    for (let page = 1; page <= PAGES_MAX; page += 1) {
      const path = `${pathOf(kind, options)}?${query}`;
      const answer = await transport.send({ subject, method: "GET", path, ...(signal && { signal }) });
      if (!answer.ok) return answer;
      const read = pageSchema.safeParse(answer.value);
      if (!read.success) return unreadable(subject, read.error);
      for (const item of read.data.items ?? []) {
        const object = parsed(subject, kind, item);
        if (!object.ok) return object;
        objects.push(object.value);
      }
      const { resourceVersion, continue: next } = read.data.metadata;
      if (!next) return succeed({ objects, resourceVersion });
      query.set("continue", next);
    }
    return fail("refused", `There are more than ${PAGES_MAX * pageSize} objects of kind ${kind}`);
  }

  return { kube, listing };
}

/** The part of a query that says which objects are meant. */
export function selection(options: ListOptions): URLSearchParams {
  const labels = Object.entries(options.labels ?? {}).map(([key, value]) => `${key}=${value}`);
  return new URLSearchParams(labels.length === 0 ? {} : { labelSelector: labels.join(",") });
}

export function parsed<K extends Kind>(subject: Subject, kind: K, json: unknown): Outcome<KubeKinds[K]> {
  const read = KINDS[kind].schema.safeParse(json);
  return read.success ? succeed(read.data) : unreadable(subject, read.error);
}

/** Names the fields only, never their values. */
function unreadable(subject: Subject, error: z.ZodError): Outcome<never> {
  const fields = error.issues.map((issue) => issue.path.join(".") || "(all)").slice(0, 5);
  return fail(
    "refused",
    `The API server's answer to ${subject.verb} ${subject.kind} lacks: ${fields.join(", ")}`,
  );
}

function subjectOf(verb: Subject["verb"], kind: Kind, ref: ObjectRef): Subject {
  return { verb, kind, namespace: ref.namespace, name: ref.name };
}
