/**
 * The page put together: who looks, at what, and how often it is asked again. It keeps nothing but a token and what it was
 * answered last, and shows how old that is when nobody answers.
 */
import type { ShownCluster, StoredBackups } from "../../model/answers.ts";
import type { Cluster } from "../../model/documents.ts";
import type { Here } from "../../model/format.ts";
import { headline } from "../../model/summary.ts";
import {
  type Answer,
  askCluster,
  askFleet,
  askStored,
  claimsOf,
  keepToken,
  keptToken,
  type Ref,
} from "./api.ts";
import { clusterPage } from "./cluster.ts";
import { type Child, draw, h } from "./dom.ts";
import { fleetPage } from "./fleet.ts";
import { fleetHeadline } from "./order.ts";
import { openWish } from "./wishes.ts";
import { mark } from "./words.ts";

/** A user may ask 60 times a minute, in all of their tabs together. */
const FLEET_EVERY_MS = 10_000;
const CLUSTER_EVERY_MS = 5_000;
/** What a store holds is asked of the store. */
const STORED_EVERY_MS = 300_000;

interface State {
  clusters: readonly Cluster[] | null;
  cluster: ShownCluster | null;
  stored: { readonly of: string; readonly value: StoredBackups; readonly atMs: number } | null;
  filter: string;
  /** Why what is shown is not as it is now. */
  stale: string | null;
  /** Why nobody is let in. */
  refusal: string | null;
  /** Of the side that answers, ahead of ours. */
  aheadMs: number;
}

const state: State = {
  ...{ clusters: null, cluster: null, stored: null, filter: "", stale: null, refusal: null, aheadMs: 0 },
};

function element<T extends Element>(id: string, kind: { new (): T }): T {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${id}`);
  return found;
}

const main = element("main", HTMLElement);
const who = element("who", HTMLElement);
const news = element("news", HTMLElement);
const dialog = element("dialog", HTMLDialogElement);

/** Null = all of them. Names need no escape. */
function placeOf(hash: string): Ref | null {
  const [, namespace, name] = /^#\/([a-z0-9-]+)\/([a-z0-9.-]+)$/.exec(hash) ?? [];
  return namespace === undefined || name === undefined ? null : { namespace, name };
}

function here(): Here {
  return { nowMs: Date.now() + state.aheadMs };
}

/** Told once to whoever does not see the page, when it changes. */
function tell(text: string): void {
  if (news.textContent !== text) news.textContent = text;
}

function signIn(): readonly Child[] {
  const submit = (event: Event): void => {
    event.preventDefault();
    const token = element("token", HTMLInputElement).value.trim();
    if (token === "") return;
    keepToken(token);
    state.refusal = null;
    render();
    void look();
  };
  const form = h(
    "form",
    { class: "sign-in" },
    [
      h("label", { for: "token" }, ["A token"]),
      h("input", {
        ...{ id: "token", type: "password", autocomplete: "off", spellcheck: "false", required: true },
        "aria-describedby": "how",
      }),
      h("button", { type: "submit", class: "first" }, ["Look"]),
    ],
    { on: { submit } },
  );
  return [
    h("h1", { tabindex: -1 }, ["See how your databases are"], { key: "heading" }),
    state.refusal === null
      ? null
      : h("p", { class: "stale", role: "alert" }, [mark("bad"), ` ${state.refusal}`]),
    form,
    h("p", { id: "how" }, [
      "It must be made for the audience ",
      h("code", {}, ["ordinal"]),
      ", and lives for an hour at most:",
    ]),
    h("pre", { tabindex: 0, "aria-label": "How to make a token" }, [
      "kubectl create token NAME --audience ordinal --duration 1h",
    ]),
    h("p", { class: "faint" }, [
      "It stays in this tab, and is sent to where this page came from and nowhere else.",
    ]),
  ];
}

function waiting(): readonly Child[] {
  const { stale } = state;
  if (stale === null) return [h("p", { "aria-busy": "true" }, ["Looking…"])];
  return [
    h("p", { class: "path" }, [h("a", { href: "#/" }, ["All clusters"])]),
    h("p", { class: "stale", role: "alert" }, [mark("attention"), ` ${stale}`]),
  ];
}

function page(ref: Ref | null): readonly Child[] {
  const { clusters, cluster, stored, filter, stale } = state;
  if (keptToken() === null) return signIn();
  if (ref === null) {
    if (clusters === null) return waiting();
    const onFilter = (text: string): void => {
      state.filter = text;
      render();
    };
    const old =
      stale === null
        ? null
        : h("p", { class: "stale", role: "alert" }, [mark("attention"), ` ${stale}`], { key: "stale" });
    return [old, ...fleetPage({ clusters, filter, onFilter }, here())];
  }
  if (cluster === null) return waiting();
  const value = stored?.of === `${ref.namespace}/${ref.name}` ? stored.value : null;
  const onAsked = (said: string): void => {
    tell(said);
    void look();
  };
  const onWish = (wished: Parameters<typeof openWish>[2]): void =>
    openWish({ element: dialog, onAsked }, ref, wished);
  return clusterPage({ cluster, stored: value, stale, onWish }, here());
}

function header(): readonly Child[] {
  const token = keptToken();
  if (token === null) return [];
  const { sub, expiresAtMs } = claimsOf(token);
  const name = sub?.replace(/^system:serviceaccount:/, "") ?? "a token";
  const until =
    expiresAtMs === null
      ? ""
      : `, until ${new Date(expiresAtMs).toLocaleTimeString([], { timeStyle: "short" })}`;
  const out = (): void => leave(null);
  return [
    h("span", { class: "faint" }, [`${name}${until} `]),
    h("button", { type: "button" }, ["Sign out"], { on: { click: out } }),
  ];
}

function titleOf(ref: Ref | null): string {
  if (keptToken() === null) return "Ordinal";
  if (ref === null)
    return state.clusters === null ? "Ordinal" : `${fleetHeadline(state.clusters).text} · Ordinal`;
  return `${ref.namespace}/${ref.name}${state.cluster === null ? "" : ` ${state.cluster.phase}`} · Ordinal`;
}

function render(): void {
  const ref = placeOf(location.hash);
  draw(main, page(ref));
  draw(who, header());
  document.title = titleOf(ref);
}

/** Forgets everything that the token has shown. */
function leave(refusal: string | null): void {
  keepToken(null);
  Object.assign(state, { clusters: null, cluster: null, stored: null, stale: null, refusal });
  dialog.close();
  render();
  element("token", HTMLInputElement).focus();
}

const UNAUTHORIZED = 401;
const NOT_FOUND = 404;
let timer = 0;
let looks = 0;

function again(ms: number): void {
  clearTimeout(timer);
  timer = window.setTimeout(() => void look(), ms);
}

/** False = somebody has to sign in again. */
function take<T>(answer: Answer<T>, everyMs: number, use: (value: T) => void): boolean {
  if (answer.kind === "refusal") {
    if (answer.status === UNAUTHORIZED) {
      leave(answer.detail);
      return false;
    }
    if (answer.status === NOT_FOUND) state.cluster = null;
    state.stale = answer.detail;
    again(Math.max(everyMs, answer.waitMs));
    return true;
  }
  state.stale = null;
  state.aheadMs = answer.atMs - Date.now();
  if (answer.kind === "value") use(answer.value);
  again(everyMs);
  return true;
}

async function lookAtFleet(mine: number): Promise<void> {
  const answer = await askFleet(state.clusters !== null);
  if (mine !== looks) return;
  const stays = take(answer, FLEET_EVERY_MS, ({ items }) => {
    state.clusters = items;
    tell(fleetHeadline(items).text);
  });
  if (stays) render();
}

async function lookAtStore(ref: Ref): Promise<void> {
  const of = `${ref.namespace}/${ref.name}`;
  const isNew = state.stored?.of === of && Date.now() - state.stored.atMs < STORED_EVERY_MS;
  if (isNew || state.cluster?.backups == null) return;
  const answer = await askStored(ref);
  if (answer.kind !== "value") return;
  state.stored = { of, value: answer.value, atMs: Date.now() };
  render();
}

async function lookAtCluster(ref: Ref, mine: number): Promise<void> {
  const answer = await askCluster(ref);
  if (mine !== looks) return;
  const stays = take(answer, CLUSTER_EVERY_MS, (cluster) => {
    state.cluster = cluster;
    tell(headline(cluster));
  });
  if (!stays) return;
  render();
  await lookAtStore(ref);
}

/** A tab that nobody sees asks nobody. */
async function look(): Promise<void> {
  clearTimeout(timer);
  if (keptToken() === null || document.hidden) return;
  looks += 1;
  const ref = placeOf(location.hash);
  await (ref === null ? lookAtFleet(looks) : lookAtCluster(ref, looks));
}

/** Another page begins at its heading, for whoever has it read out. */
function turn(): void {
  Object.assign(state, { cluster: null, stale: null });
  dialog.close();
  render();
  scrollTo(0, 0);
  main.focus({ preventScroll: true });
  void look();
}

addEventListener("hashchange", turn);
document.addEventListener("visibilitychange", () => void look());
render();
void look();
