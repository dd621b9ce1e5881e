/**
 * Whole lists, page by page from one snapshot of the server. A list is either complete or a failure: a
 * missing page would look like deleted objects to whoever compares.
 */
import * as z from "zod/mini";
import type { Kind, KubeKinds } from "../../model/kube.ts";
import { fail, type Outcome, succeed } from "../../model/outcome.ts";
import type { ListOptions } from "../../ports/kube.ts";
import { type Subject, unreadable } from "./failures.ts";
import { pathOf } from "./kinds.ts";
import type { Transport } from "./transport.ts";

export interface Listing<K extends Kind> {
  readonly objects: readonly KubeKinds[K][];
  /** Where a watch goes on from here. */
  readonly resourceVersion: string;
}

export interface Lister {
  listing<K extends Kind>(kind: K, options: ListOptions, signal?: AbortSignal): Promise<Outcome<Listing<K>>>;
}

/** A list is begun afresh when the server has forgotten its snapshot between two pages; so often at most. */
const LIST_ATTEMPTS_MAX = 3;
const PAGES_MAX = 1000;
const HTTP_GONE = 410;

const pageSchema = z.object({
  metadata: z.object({ resourceVersion: z.string(), continue: z.optional(z.string()) }),
  items: z.nullable(z.array(z.unknown())),
});

export function createLister(transport: Transport, pageSize: number): Lister {
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
      const { objectOf } = await import("./objects.ts");
      const read = pageSchema.safeParse(answer.value);
      if (!read.success) return { ok: false, failure: unreadable(subject, read.error) };
      for (const item of read.data.items ?? []) {
        const object = objectOf(subject, kind, item);
        if (!object.ok) return object;
        objects.push(object.value);
      }
      const { resourceVersion, continue: next } = read.data.metadata;
      if (!next) return succeed({ objects, resourceVersion });
      query.set("continue", next);
    }
    return fail("refused", `There are more than ${PAGES_MAX * pageSize} objects of kind ${kind}`);
  }

  return { listing };
}

/** The part of a query that says which objects are meant. */
export function selection(options: ListOptions): URLSearchParams {
  const labels = Object.entries(options.labels ?? {}).map(([key, value]) => `${key}=${value}`);
  return new URLSearchParams(labels.length === 0 ? {} : { labelSelector: labels.join(",") });
}
