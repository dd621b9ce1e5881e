/** All clusters in a table, those that need somebody first. The heading says whether all is well. */
import type { Cluster, ClusterBackups } from "../../model/documents.ts";
import { type Here, lag, NONE } from "../../model/format.ts";
import { wordsOf } from "../../model/summary.ts";
import type { Ref } from "./api.ts";
import { type Child, h, type Tree } from "./dom.ts";
import { fleetHeadline, inOrder, matching } from "./order.ts";
import { mark, unseen, when } from "./words.ts";

export function addressOf({ namespace, name }: Ref): string {
  return `#/${namespace}/${name}`;
}

function lastBackup(backups: ClusterBackups | null, here: Here): readonly Child[] {
  if (backups === null) return [NONE];
  const { last, failures } = backups;
  const made: Child = last === null ? NONE : when(last.endedAt, here);
  return failures === 0 ? [made] : [made, h("strong", { class: "bad" }, [` ✖ ${failures} failed since`])];
}

function lastProof(backups: ClusterBackups | null, here: Here): readonly Child[] {
  if (backups === null) return [NONE];
  const { proven, unproven } = backups;
  const shown: Child = proven === null ? NONE : when(proven.at, here);
  return unproven === null ? [shown] : [shown, h("strong", { class: "bad" }, [" ✖ failed since"])];
}

function row(cluster: Cluster, here: Here): Tree {
  const { namespace, name, phase, problems, primary, readyPods, replicas, epoch, backups } = cluster;
  const { tone } = wordsOf(cluster);
  const wrong = tone === "good" ? undefined : problems[0];
  const cells = [
    h("td", { class: `state ${tone}` }, [mark(tone), ` ${phase}`]),
    h("th", { scope: "row" }, [
      h("a", { href: addressOf(cluster) }, [h("span", { class: "faint" }, [`${namespace}/`]), name]),
      wrong === undefined ? null : h("span", { class: "wrong" }, [wrong.message]),
    ]),
    h("td", { class: "wide" }, [primary ?? NONE]),
    h("td", { class: "number" }, [`${readyPods}/${replicas}`]),
    h("td", { class: "number middle" }, [lag(cluster.lagMs)]),
    h("td", { class: "number wide" }, [epoch === null ? NONE : String(epoch)]),
    h("td", { class: "wide" }, lastBackup(backups, here)),
    h("td", { class: "wide" }, lastProof(backups, here)),
  ];
  return h("tr", { class: tone }, cells, { key: `${namespace}/${name}` });
}

const TITLES: readonly (readonly [title: string, look: string])[] = [
  ["State", ""],
  ["Cluster", ""],
  ["Primary", "wide"],
  ["Ready", "number"],
  ["Lag", "number middle"],
  ["Epoch", "number wide"],
  ["Last backup", "wide"],
  ["Proven", "wide"],
];

const NOTHING =
  "Ordinal serves none in a namespace in which this token may list StatefulSets. Annotate one with `ordinal.dev/engine`, or ask for the right to `list` `statefulsets`.";

export interface FleetState {
  readonly clusters: readonly Cluster[];
  readonly filter: string;
  readonly onFilter: (filter: string) => void;
}

export function fleetPage({ clusters, filter, onFilter }: FleetState, here: Here): readonly Child[] {
  const { text, tone } = fleetHeadline(clusters);
  const shown = inOrder(matching(clusters, filter));
  const heading = h("h1", { class: tone, tabindex: -1 }, [mark(tone), ` ${text}`], { key: "heading" });
  if (clusters.length === 0) return [heading, h("p", {}, [NOTHING.replaceAll("`", "")])];
  const search = h("p", { class: "filter" }, [
    h("label", { for: "filter" }, ["Show only "]),
    h(
      "input",
      { id: "filter", type: "search", autocomplete: "off", placeholder: "name, namespace, state" },
      [],
      {
        on: { input: ({ target }) => target instanceof HTMLInputElement && onFilter(target.value) },
      },
    ),
    h("span", { class: "faint", "aria-live": "polite" }, [
      shown.length === clusters.length ? "" : ` ${shown.length} of ${clusters.length}`,
    ]),
  ]);
  const head = h("thead", {}, [
    h(
      "tr",
      {},
      TITLES.map(([title, look]) => h("th", { scope: "col", class: look === "" ? null : look }, [title])),
    ),
  ]);
  const table = h("table", { class: "fleet" }, [
    h("caption", {}, [unseen("All clusters, those that need somebody first")]),
    head,
    h(
      "tbody",
      {},
      shown.map((cluster) => row(cluster, here)),
    ),
  ]);
  return [heading, search, table];
}
