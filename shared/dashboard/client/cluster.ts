/**
 * The page of one cluster. First whether it is fine; then what is wrong and what Ordinal is doing about it; then what one
 * can do; then all that it rests on.
 */
import type { ShownCluster, StoredBackups } from "../../model/answers.ts";
import { type Here, since } from "../../model/format.ts";
import { adviceOf, awaitsApproval, headline, untoldProblems, wordsOf } from "../../model/summary.ts";
import { worksOf } from "../../model/under-way.ts";
import { backupParts, windowParts } from "./backups.ts";
import { type Child, h, type Tree } from "./dom.ts";
import { timeline } from "./history.ts";
import { topology } from "./members.ts";
import type { Wished } from "./wishes.ts";
import { bar, mark, prose, section } from "./words.ts";

export interface ClusterState {
  readonly cluster: ShownCluster;
  /** Null while the store was not asked. */
  readonly stored: StoredBackups | null;
  /** What stands in the way of seeing it as it is now; null = nothing. */
  readonly stale: string | null;
  readonly onWish: (wished: Wished) => void;
}

function problems(cluster: ShownCluster, here: Here): Child {
  const told = untoldProblems(cluster);
  const work = workOf(cluster, here);
  if (told.length + work.length === 0) return null;
  const items = told.map(({ code, message, since: at }) =>
    h(
      "li",
      {},
      [
        h("strong", {}, [code]),
        h("span", { class: "faint" }, [at === null ? "" : ` for ${since(at, here)}`]),
        h("br"),
        message,
      ],
      { key: code },
    ),
  );
  return h("ul", { class: "problems" }, [...items, ...work]);
}

function busy(key: string, text: string, share: number | null = null): Tree {
  return h("li", { class: "work" }, [bar("under way", share), ` ${text}`], { key });
}

/** What is under way, whoever began it; how far it is where that is known. */
function workOf(cluster: ShownCluster, here: Here): readonly Tree[] {
  const open = cluster.requests.filter(({ status }) => status === "accepted");
  return [
    ...worksOf(cluster, here).map(({ key, text, share }) => busy(key, text, share)),
    ...open.map(({ id, kind, by, at, message }) =>
      busy(
        id,
        `${kind} was asked for by ${by} ${since(at, here)} ago. ${message ?? "It waits for its turn, or is under way."}`,
      ),
    ),
  ];
}

/** Epoch into which a failover waits for a person; null = none does. */
function awaited({ problems: open, epoch }: ShownCluster): number | null {
  return open.some(awaitsApproval) && epoch !== null ? epoch + 1 : null;
}

interface Button {
  readonly wished: Wished;
  readonly text: string;
  readonly first?: boolean;
}

function buttonsOf(cluster: ShownCluster): readonly Button[] {
  const { members, primary, phase, backups, problems: open } = cluster;
  const epoch = awaited(cluster);
  // Who would take over soonest comes first.
  const distance = ({ pod, lagMs }: (typeof members)[number]) =>
    pod === "Ready" ? (lagMs ?? Number.MAX_SAFE_INTEGER) : Infinity;
  const others = members
    .filter(({ name }) => name !== primary)
    .toSorted((a, b) => distance(a) - distance(b) || 0)
    .map(({ name }) => name);
  const isPaused = phase === "Paused" || open.some(({ code }) => code === "Paused");
  return [
    ...(epoch === null
      ? []
      : [{ wished: { kind: "approve", epoch }, text: "Approve the failover…", first: true } as const]),
    ...(isPaused ? [{ wished: { kind: "resume" }, text: "Resume…", first: true } as const] : []),
    ...(others.length === 0 || primary === null
      ? []
      : [{ wished: { kind: "switchover", others }, text: "Switch over…" } as const]),
    ...(backups?.store == null ? [] : [{ wished: { kind: "backup" }, text: "Back up now…" } as const]),
    ...(isPaused ? [] : [{ wished: { kind: "pause" }, text: "Pause…" } as const]),
  ];
}

function actions({ cluster, onWish }: ClusterState): Child {
  if (!cluster.may.update) {
    return h("p", { class: "faint" }, [
      "This token may look only. To act it needs the right to ",
      h("code", {}, ["update"]),
      " the StatefulSet.",
    ]);
  }
  const buttons = buttonsOf(cluster).map(({ wished, text, first = false }) =>
    h("button", { type: "button", class: first ? "first" : null }, [text], {
      key: wished.kind,
      on: { click: () => onWish(wished) },
    }),
  );
  return h("p", { class: "actions" }, buttons);
}

export function clusterPage(state: ClusterState, here: Here): readonly Child[] {
  const { cluster, stored, stale } = state;
  const { tone } = wordsOf(cluster);
  const advice = adviceOf(cluster);
  return [
    h("p", { class: "path" }, [h("a", { href: "#/" }, ["All clusters"]), ` / ${cluster.namespace}`], {
      key: "path",
    }),
    stale === null
      ? null
      : h("p", { class: "stale", role: "alert" }, [mark("attention"), ` ${stale}`], { key: "stale" }),
    h("h1", { class: tone, tabindex: -1 }, [mark(tone), ` ${headline(cluster)}`], { key: "heading" }),
    h(
      "div",
      { class: "answer" },
      [
        problems(cluster, here),
        h("p", {}, [h("strong", {}, ["What you can do: "]), ...prose(advice ?? "nothing is needed.")]),
        actions(state),
      ],
      { key: "answer" },
    ),
    section("members", "Members", topology(cluster, here)),
    section("decided", "What was decided, and why", timeline(cluster, here)),
    section("backups", "Backups", backupParts(cluster, stored, here)),
    section("recovery", "What can be recovered", windowParts(cluster, stored, here)),
  ];
}
