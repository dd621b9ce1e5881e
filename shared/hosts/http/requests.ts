/**
 * Records a wish, once: one compare-and-swap writes the user's annotation and the ring of requests together, or
 * nothing. It never acts on a wish; that is for the pass that the changed annotation wakes.
 */
import { createHash } from "node:crypto";
import { decodeConditions, encodeConditions } from "../../annotations/conditions.ts";
import { canonicalJson } from "../../annotations/json.ts";
import { ANNOTATION } from "../../annotations/keys.ts";
import {
  answerOf,
  decodeRequests,
  encodeRequests,
  isContrary,
  isSameWish,
  REFUSALS,
  wishAnnotation,
} from "../../annotations/requests.ts";
import { oneLine, quote } from "../../annotations/text.ts";
import type { StatefulSet } from "../../model/kube.ts";
import type { Plan, Preview } from "../../model/plan.ts";
import type { ClusterRequest, RequestEntry } from "../../model/request.ts";
import {
  end,
  type HttpAnswer,
  json,
  type Passed,
  pass,
  problem,
  retryAfter,
  unavailable,
} from "./answers.ts";
import { entriesOf, findSet, isManaged } from "./clusters.ts";
import type { Asked, Tools } from "./function.ts";

const TRIES_MAX = 5;
const JITTER_MS = 100;
/**
 * A token lives for an hour at most, the API server takes it for a minute longer, and clocks differ: whoever
 * captured a request cannot send it again once the ring may have forgotten it.
 */
const REMEMBERED_MS = 65 * 60_000;

export function digestOf(...parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

function operationPath({ namespace, name }: StatefulSet, id: string): string {
  return `/clusters/${namespace}/${name}/operations/${id}`;
}

function operationAnswer(entry: RequestEntry, set: StatefulSet, plan: Plan | null): HttpAnswer {
  const answer = answerOf(entry, set);
  const operation = operationPath(set, entry.id);
  const status = plan !== null || answer.status === "accepted" ? 202 : 200;
  return json(status, { id: entry.id, ...answer, operation, plan }, { location: operation });
}

/** What keeps this wish from being recorded now. A switchover that was asked for by annotation counts too. */
function conflictOf(request: ClusterRequest, set: StatefulSet): HttpAnswer | null {
  const open = entriesOf(set).find(
    (entry) => isContrary(entry.kind, request.kind) && answerOf(entry, set).status === "accepted",
  );
  if (open !== undefined) {
    const { key, value } = wishAnnotation(open);
    const orElse = set.annotations[key] === value ? `, or take ${key} away` : "";
    const detail = `${open.id} is under way (${canonicalJson(open.wish)}): wait until it has ended${orElse}.`;
    return problem(409, detail);
  }
  if (!isContrary(request.kind, "switchover")) return null;
  const to = set.annotations[ANNOTATION.switchoverTo];
  const conditions = decodeConditions(set.annotations[ANNOTATION.conditions]);
  const refused = conditions.some(({ type }) => REFUSALS.switchover.includes(type));
  if (to === undefined || refused || (request.kind === "switchover" && request.wish.to === to)) return null;
  const detail = `A switchover to ${quote(to)} was asked for by annotation: wait until it has ended, or take ${ANNOTATION.switchoverTo} away.`;
  return problem(409, detail);
}

/** The ring with one more, unless somebody who could still be replayed would have to be forgotten for it. */
function ringWith(entry: RequestEntry, set: StatefulSet, nowMs: number): Passed<string> {
  const entries = [...entriesOf(set), entry];
  const raw = encodeRequests(entries);
  const forgotten = entries[entries.length - decodeRequests(raw).length - 1];
  const waitMs = forgotten === undefined ? 0 : Date.parse(forgotten.at) + REMEMBERED_MS - nowMs;
  if (waitMs <= 0) return pass(raw);
  const headers = retryAfter(waitMs);
  const detail = `Too many requests for ${set.name} within the hour: wait ${headers["retry-after"]} s.`;
  return end(problem(429, detail, { headers }));
}

interface Draft {
  readonly entry: RequestEntry;
  readonly ring: string;
}

/**
 * From the object as it is now: what is to be recorded, or the answer when nothing is. A dry run asks what would be
 * done, so that neither its key nor a request for the same counts.
 */
function draft(asked: Asked, request: ClusterRequest, set: StatefulSet, nowMs: number): Passed<Draft> {
  const entries = entriesOf(set);
  const known = asked.dryRun ? undefined : entries.find(({ key }) => key === asked.key);
  if (known !== undefined && !isSameWish(known, request)) {
    return end(
      problem(422, `This idempotency key was used for ${known.id}: use another one for another wish.`),
    );
  }
  const same = entries.find(
    (entry) => isSameWish(entry, request) && answerOf(entry, set).status === "accepted",
  );
  if (known !== undefined) return end(operationAnswer(known, set, null));
  if (same !== undefined && !asked.dryRun) return end(operationAnswer(same, set, null));
  const conflict = same === undefined ? conflictOf(request, set) : null;
  if (conflict !== null) return end(conflict);
  const at = new Date(nowMs).toISOString();
  const id = `${request.kind}-${digestOf(set.uid, request.kind, canonicalJson(request.wish), at).slice(0, 8)}`;
  const entry: RequestEntry = { ...request, id, by: oneLine(asked.user.name, 64), at, key: asked.key };
  const ring = ringWith(entry, set, nowMs);
  return ring.ok ? pass({ entry, ring: ring.value }) : ring;
}

/**
 * The changes of the one write. A condition that refused the wish before is taken away with it: what stands after
 * the next pass is about this one.
 */
function changesOf(
  request: ClusterRequest,
  ring: string,
  set: StatefulSet,
): Readonly<Record<string, string>> {
  const { key, value } = wishAnnotation(request);
  const conditions = decodeConditions(set.annotations[ANNOTATION.conditions]);
  const kept = conditions.filter(({ type }) => !REFUSALS[request.kind].includes(type));
  return {
    [key]: value,
    [ANNOTATION.requests]: ring,
    ...(kept.length < conditions.length && { [ANNOTATION.conditions]: encodeConditions(kept) }),
  };
}

async function previewed(
  asked: Asked,
  request: ClusterRequest,
  { preview, log }: Tools,
): Promise<Passed<Preview>> {
  const outcome = await preview(asked.ref, request);
  if (!outcome.ok) return end(unavailable(outcome.failure, log));
  const { refused } = outcome.value;
  return refused === null
    ? pass(outcome.value)
    : end(problem(422, oneLine(refused.message, 400), { code: refused.code }));
}

export async function recordWish(asked: Asked, request: ClusterRequest, tools: Tools): Promise<HttpAnswer> {
  const { kube, clock, ids } = tools;
  let preview: Preview | null = null;
  for (let attempt = 1; attempt <= TRIES_MAX; attempt += 1) {
    const found = await findSet(asked, tools, isManaged);
    if (!found.ok) return found.answer;
    const set = found.value;
    const drafted = draft(asked, request, set, clock.now());
    if (!drafted.ok) return drafted.answer;
    // Once: it looks at servers, and a write that waits for it at every attempt would lose against every pass.
    if (preview === null) {
      const plan = await previewed(asked, request, tools);
      if (!plan.ok) return plan.answer;
      preview = plan.value;
    }
    if (asked.dryRun) return json(200, { plan: preview.plan });
    const { entry, ring } = drafted.value;
    const { uid, resourceVersion } = set;
    const annotations = changesOf(request, ring, set);
    const written = await kube.patch("StatefulSet", asked.ref, { uid, resourceVersion, annotations });
    if (written.ok) return operationAnswer(entry, written.value, preview.plan);
    if (written.failure.kind !== "conflict" && written.failure.kind !== "gone") {
      return unavailable(written.failure, tools.log);
    }
    await clock.sleep(JITTER_MS * attempt * ids.fraction());
  }
  const detail = `${asked.ref.name} was changed by others ${TRIES_MAX} times in a row: repeat the request.`;
  return problem(409, detail, { headers: retryAfter(1_000) });
}
