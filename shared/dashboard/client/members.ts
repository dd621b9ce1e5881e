/** Who is what in a cluster: the primary, and beneath it whoever follows it, with what its acknowledgements are worth. */
import type { ShownCluster } from "../../model/answers.ts";
import type { ClusterMember } from "../../model/documents.ts";
import { type Here, lag, since } from "../../model/format.ts";
import { howFar, shareOf } from "../../model/progress.ts";
import { type Child, h, type Tree } from "./dom.ts";
import { bar, mark } from "./words.ts";

type Fact = readonly [name: string, value: string];

function place(member: ClusterMember, cluster: ShownCluster): string {
  if (member.name === cluster.primary) return "primary";
  return member.role === "replica" ? "replica" : "serves nobody";
}

function factsOf(member: ClusterMember, cluster: ShownCluster, here: Here): readonly Fact[] {
  const isPrimary = member.name === cluster.primary;
  const { version, lagMs, seenAt, pod } = member;
  const waits = `${cluster.ackCount} of ${cluster.ackers.length} replicas`;
  return [
    ["Pod", pod],
    ...(isPrimary
      ? [["Commits wait for", cluster.ackCount === null ? "nobody yet" : waits] as const]
      : [["Behind", lag(lagMs)] as const]),
    ...(version === null ? [] : [["Server", version] as const]),
    ...(seenAt === null ? [] : [["Unchanged for", since(seenAt, here)] as const]),
  ];
}

/** What is unusual, and how far a copy into it is. */
function noted({ name, note, copied }: ClusterMember): Child {
  if (copied === null) return note === "" ? null : h("p", { class: "note" }, [note]);
  const text = ` ${note}, ${howFar(copied)}`;
  return h("p", { class: "note work" }, [bar(`copy into ${name}`, shareOf(copied)), text]);
}

function card(member: ClusterMember, cluster: ShownCluster, here: Here): Tree {
  const isPrimary = member.name === cluster.primary;
  const acknowledges = cluster.ackers.includes(member.name);
  const role = place(member, cluster);
  const tone = member.pod !== "Ready" ? "bad" : role === "serves nobody" ? "attention" : "good";
  const line = isPrimary ? null : acknowledges ? "acknowledges" : "does not acknowledge";
  return h("div", { class: `member ${isPrimary ? "primary" : ""} ${tone}` }, [
    h("h3", {}, [mark(tone), ` ${member.name} `, h("span", { class: "role" }, [role])]),
    line === null
      ? null
      : h("p", { class: acknowledges ? "acks" : "acks no" }, [`${acknowledges ? "●" : "○"} ${line}`]),
    h(
      "dl",
      {},
      factsOf(member, cluster, here).map(([name, value]) =>
        h("div", {}, [h("dt", {}, [name]), h("dd", {}, [value])]),
      ),
    ),
    noted(member),
  ]);
}

/** A solid line is one by which commits are acknowledged, a dashed one is followed only. */
export function topology(cluster: ShownCluster, here: Here): readonly Child[] {
  const { members, ackers, epoch } = cluster;
  const primary = members.find(({ name }) => name === cluster.primary);
  const others = members.filter((member) => member !== primary);
  const list = h(
    "ul",
    {},
    others.map((member) =>
      h(
        "li",
        { class: ackers.includes(member.name) ? "acknowledged" : "followed" },
        [card(member, cluster, here)],
        { key: member.name },
      ),
    ),
  );
  return [
    h("p", { class: "faint" }, [
      epoch === null
        ? "Nothing is recorded yet."
        : `Epoch ${epoch}. Solid lines: commits wait for these. Dashed: these only follow.`,
    ]),
    h("div", { class: "topology" }, [
      primary === undefined
        ? h("div", { class: "member bad" }, [h("h3", {}, ["No primary is recorded"])])
        : card(primary, cluster, here),
      others.length === 0 ? null : list,
    ]),
  ];
}
