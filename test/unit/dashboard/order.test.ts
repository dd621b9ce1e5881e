/** Of all clusters: what the heading says, who comes first, and who is meant by a few letters. */
import { expect, test } from "vitest";
import { snapshot } from "../../../shared/cli/snapshot.ts";
import { fleetHeadline, inOrder, matching } from "../../../shared/dashboard/client/order.ts";
import type { Cluster } from "../../../shared/model/documents.ts";
import { adopting, adoptingPods, healthy, healthyPods } from "../cli/support.ts";

const fine = snapshot(healthy, healthyPods);
const busy = snapshot(adopting, adoptingPods);
const named = (cluster: Cluster, name: string, phase: string): Cluster => ({ ...cluster, name, phase });

test.each([
  [[], "No clusters to see", "attention"],
  [[fine], "The cluster is fine", "good"],
  [[fine, fine], "All 2 clusters are fine", "good"],
  [[fine, busy], "1 of 2 clusters wants a look", "attention"],
  [[fine, named(fine, "a", "FailingOver")], "1 of 2 clusters is in trouble", "bad"],
  [[busy, busy, named(fine, "a", "Blocked")], "1 of 3 clusters is in trouble, 2 want a look", "bad"],
] as const)("the heading answers: %#", (clusters, text, tone) => {
  expect(fleetHeadline(clusters)).toEqual({ text, tone });
});

test("the worst come first, and among equals the alphabet", () => {
  const clusters = [
    fine,
    named(fine, "b", "Blocked"),
    busy,
    named(fine, "a", "FailingOver"),
    named(fine, "aa", "Healthy"),
  ];
  expect(inOrder(clusters).map(({ name }) => name)).toEqual(["a", "b", "crm", "aa", "mysql"]);
});

test("every word has to be in the namespace, the name, the state or a problem", () => {
  const clusters = [fine, busy];
  const names = (filter: string) => matching(clusters, filter).map(({ name }) => name);
  expect(names(" ")).toEqual(["mysql", "crm"]);
  expect(names("SHOP my")).toEqual(["mysql"]);
  expect(names("memberunreach lab")).toEqual(["crm"]);
  expect(names("lab mysql")).toEqual([]);
});
