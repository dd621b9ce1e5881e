/** `version`: without a cluster nothing is asked, and of a cluster it says what was recorded. */
import { expect, test } from "vitest";
import { ANNOTATION } from "../../../shared/annotations/keys.ts";
import { healthy, healthyPods, ordinal, set } from "./support.ts";

test("says what the program is, and which formats it knows", async () => {
  const { exitCode, out } = await ordinal("version --kubeconfig broken");
  expect(exitCode).toBe(0);
  expect(out).toMatch(/^kubectl-ordinal 1\.2\.3, on Node \d+\.\d+\.\d+\ndocuments: ordinal\.dev\/cli\/v1; /);
});

test("says what a cluster was recorded with", async () => {
  const { out } = await ordinal("version mysql");
  expect(out).toContain("\nshop/mysql: state 1; servers: mysql-0 9.7.4, mysql-1 9.7.4, mysql-2 9.7.4\n");
});

test("says so where a newer Ordinal was at work, or none", async () => {
  const newer = { ...healthy, annotations: { ...healthy.annotations, [ANNOTATION.state]: '{"v":9}' } };
  const world = { sets: [newer, set("web")], pods: healthyPods };
  expect((await ordinal("version mysql", world)).out).toContain("state 9, by a newer Ordinal than this;");
  expect((await ordinal("version orders")).out).toContain("\nshop/orders: state –; servers: orders-0 –\n");
  expect((await ordinal("version web", world)).exitCode).toBe(2);
});
