/**
 * The routes as the page asks them. The token is kept by the browser for as long as this tab lives, sent in a header to the
 * place that the page came from, and nowhere else.
 */
import type { ShownCluster, StoredBackups } from "../../model/answers.ts";
import type { Cluster } from "../../model/documents.ts";
import type { Plan } from "../../model/plan.ts";

export type Answer<T> =
  | { readonly kind: "value"; readonly value: T; readonly atMs: number }
  /** As it was answered before. */
  | { readonly kind: "same"; readonly atMs: number }
  /** `detail`: what is wrong and what to do. Status 0 = nobody answered. */
  | { readonly kind: "refusal"; readonly status: number; readonly detail: string; readonly waitMs: number };

const TOKEN = "ordinal-token";

export function keptToken(): string | null {
  return sessionStorage.getItem(TOKEN);
}

export function keepToken(token: string | null): void {
  if (token === null) sessionStorage.removeItem(TOKEN);
  else sessionStorage.setItem(TOKEN, token);
}

interface Claims {
  /** Whose it is; null = it does not say. */
  readonly sub: string | null;
  readonly expiresAtMs: number | null;
}

/** What a token says of itself, for people; whether it is true is for the API server to say. */
export function claimsOf(token: string): Claims {
  try {
    const payload = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    const { sub, exp }: { sub?: unknown; exp?: unknown } = JSON.parse(atob(payload));
    return {
      sub: typeof sub === "string" ? sub : null,
      expiresAtMs: typeof exp === "number" ? exp * 1000 : null,
    };
  } catch {
    return { sub: null, expiresAtMs: null };
  }
}

const NOBODY = "Ordinal does not answer: is the way to it, such as kubectl port-forward, still open?";

async function refusalOf(response: Response): Promise<Answer<never>> {
  const { detail } = (await response.json().catch(() => ({}))) as { readonly detail?: unknown };
  const said = typeof detail === "string" ? detail : `The answer was ${response.status}.`;
  const waitMs = Number(response.headers.get("retry-after") ?? 0) * 1000;
  return { kind: "refusal", status: response.status, detail: said, waitMs };
}

/** By the answering side's clock, which is the one that all instants are of. */
function clockOf(response: Response): number {
  const date = Date.parse(response.headers.get("date") ?? "");
  return Number.isNaN(date) ? Date.now() : date;
}

/** By path: the tag of the last answer. */
const tags = new Map<string, string>();

async function ask<T>(path: string, options: RequestInit = {}): Promise<Answer<T>> {
  const headers = new Headers(options.headers);
  headers.set("authorization", `Bearer ${keptToken() ?? ""}`);
  try {
    const response = await fetch(path, { ...options, headers, cache: "no-store", credentials: "omit" });
    if (response.status === 304) return { kind: "same", atMs: clockOf(response) };
    if (!response.ok) return await refusalOf(response);
    const tag = response.headers.get("etag");
    if (tag !== null) tags.set(path, tag);
    return { kind: "value", value: (await response.json()) as T, atMs: clockOf(response) };
  } catch {
    return { kind: "refusal", status: 0, detail: NOBODY, waitMs: 0 };
  }
}

export interface Ref {
  readonly namespace: string;
  readonly name: string;
}

export function pathOf({ namespace, name }: Ref): string {
  return `/clusters/${namespace}/${name}`;
}

/** `known`: the last answer is still there to be shown. */
export function askFleet(known: boolean): Promise<Answer<{ readonly items: readonly Cluster[] }>> {
  const tag = known ? tags.get("/clusters") : undefined;
  return ask("/clusters", tag === undefined ? {} : { headers: { "if-none-match": tag } });
}

export function askCluster(ref: Ref): Promise<Answer<ShownCluster>> {
  return ask(pathOf(ref));
}

export function askStored(ref: Ref): Promise<Answer<StoredBackups>> {
  return ask(`${pathOf(ref)}/backups`);
}

/** What is asked for: a route below a cluster's, and its body. */
export interface Wish {
  readonly route: "switchover" | "backup" | "pause" | "resume" | "approve";
  readonly body: Readonly<Record<string, string | number>>;
}

function post<T>(
  ref: Ref,
  { route, body }: Wish,
  query: string,
  headers: Readonly<Record<string, string>>,
): Promise<Answer<T>> {
  return ask(`${pathOf(ref)}/${route}${query}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

/** Nothing is recorded. */
export function askPlan(ref: Ref, wish: Wish): Promise<Answer<{ readonly plan: Plan }>> {
  return post(ref, wish, "?dryRun=true", {});
}

/** `key`: the same for a press of the button that is sent once more. */
export function askFor(ref: Ref, wish: Wish, key: string): Promise<Answer<object>> {
  return post(ref, wish, "", { "idempotency-key": key });
}
