/** Of all clusters: whether they are fine, which come first, and which are meant. Pure. */
import type { Cluster } from "../../model/documents.ts";
import { type Tone, wordsOf } from "../../model/summary.ts";

const RANK: Readonly<Record<Tone, number>> = { bad: 0, attention: 1, good: 2 };

function plural(count: number, one: string, many: string): string {
  return count === 1 ? `1 ${one}` : `${count} ${many}`;
}

/** Is it fine? */
export function fleetHeadline(clusters: readonly Cluster[]): { readonly text: string; readonly tone: Tone } {
  if (clusters.length === 0) return { text: "No clusters to see", tone: "attention" };
  const tones = clusters.map((cluster) => wordsOf(cluster).tone);
  const [bad, attention] = [
    tones.filter((tone) => tone === "bad"),
    tones.filter((tone) => tone === "attention"),
  ];
  if (bad.length + attention.length === 0) {
    return {
      text: clusters.length === 1 ? "The cluster is fine" : `All ${clusters.length} clusters are fine`,
      tone: "good",
    };
  }
  const of = `of ${plural(clusters.length, "cluster", "clusters")}`;
  const parts = [
    ...(bad.length === 0 ? [] : [`${bad.length} ${of} ${bad.length === 1 ? "is" : "are"} in trouble`]),
    ...(attention.length === 0
      ? []
      : [
          `${attention.length} ${bad.length === 0 ? `${of} ` : ""}${attention.length === 1 ? "wants" : "want"} a look`,
        ]),
  ];
  return { text: parts.join(", "), tone: bad.length > 0 ? "bad" : "attention" };
}

/** Worst first; among equals by name. */
export function inOrder(clusters: readonly Cluster[]): readonly Cluster[] {
  const rank = (cluster: Cluster) => RANK[wordsOf(cluster).tone];
  return clusters.toSorted(
    (a, b) => rank(a) - rank(b) || (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1),
  );
}

/** Every word of it is in the namespace, the name, the state or a problem. */
export function matching(clusters: readonly Cluster[], filter: string): readonly Cluster[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return clusters;
  return clusters.filter(({ namespace, name, phase, problems }) => {
    const text = [namespace, name, phase, ...problems.map(({ code }) => code)].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  });
}
