/** What demo and benches print: for people one sentence, for programs one line, and a failure never as a stack. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createTale, sentenceOf, table } from "../../../infra/demo/tale.ts";
import { readAudit } from "../../bench/audit.ts";
import { manifestOf } from "../../bench/place.ts";
import { shopRows } from "../../support/shop.ts";
import { Unmet, waitFor } from "../../support/wait.ts";

test("a step that does not hold is told with its reason, and ends the story", async () => {
  const lines: string[] = [];
  const tale = createTale((line) => lines.push(line));
  await tale.chapter("one", "the first", async (found) => found("all is well"));
  const second = tale.chapter("two", "the second", async () => {
    throw new Unmet("3 writes failed");
  });
  await expect(second).rejects.toThrow("3 writes failed");
  expect(tale.chapters.map(({ name, ok, finding }) => [name, ok, finding])).toEqual([
    ["one", true, "all is well"],
    ["two", false, "3 writes failed"],
  ]);
  expect(table(tale.chapters)).toMatch(/^✔ one {2}.*all is well\n✘ two {2}.*3 writes failed$/);
  expect(lines.join("")).toContain("✔ all is well");
});

test("an operating error is one sentence, a bug keeps its stack", () => {
  expect(sentenceOf(new Unmet("not so"))).toBe("not so");
  expect(sentenceOf(new Error("connect ECONNREFUSED"))).toBe("connect ECONNREFUSED");
  expect(sentenceOf(new TypeError("x is not a function"))).toContain("telling.test.ts");
});

test("a wait that runs out says what it waited for and what it saw last", async () => {
  const looks = ["nothing", "a little"];
  const wait = waitFor("everything", { timeoutMs: 20, everyMs: 15 }, async () => ({
    ok: false,
    saw: looks.shift() ?? "half of it",
  }));
  await expect(wait).rejects.toThrow(/^waited 0 s for everything; last seen: /);
  const ended = AbortSignal.abort(new Error("interrupted"));
  const look = async () => ({ ok: true, value: 1 }) as const;
  await expect(waitFor("it", { timeoutMs: 20, signal: ended }, look)).rejects.toThrow("interrupted");
});

test("the shop is the same every time, has 100,000 rows, and its references hold", () => {
  const shop = shopRows();
  expect(shopRows()).toEqual(shop);
  expect(shopRows(2).orders).not.toEqual(shop.orders);
  expect(Object.values(shop).flat().length).toBeGreaterThan(100_000);
  const ids = (rows: readonly (readonly (string | number)[])[]) => new Set(rows.map(([id]) => id));
  const [customers, products, orders] = [ids(shop.customers), ids(shop.products), ids(shop.orders)];
  expect(shop.orders.every(([, customer]) => customer !== undefined && customers.has(customer))).toBe(true);
  expect(shop.order_lines.every(([order, , product]) => orders.has(order) && products.has(product))).toBe(
    true,
  );
});

test("the bench's servers are the example's, but for their number and their arguments", () => {
  const plain = manifestOf({ replicas: 3, args: [] });
  const small = manifestOf({ replicas: 1, args: ["--mysqlx=OFF"] });
  expect(small).toContain("replicas: 1");
  expect(small).toContain('args: ["--mysqlx=OFF"]');
  const changed = small.split("\n").filter((line) => !plain.split("\n").includes(line));
  expect(changed).toHaveLength(2);
});

test("requests are counted by agent, verb and time, and watches are no reads", async () => {
  const folder = mkdtempSync(join(tmpdir(), "ordinal-audit-"));
  const path = join(folder, "audit.log");
  const line = (verb: string, resource: string, more: object = {}) =>
    JSON.stringify({
      ...{ stage: "ResponseComplete", verb, userAgent: "ordinal/local", objectRef: { resource } },
      ...{ requestReceivedTimestamp: "2026-01-01T00:00:30.000000Z", ...more },
    });
  const lines = [
    line("list", "statefulsets"),
    line("list", "pods", { objectRef: { resource: "pods", namespace: "orders" } }),
    line("list", "pods"),
    line("get", "secrets"),
    line("patch", "statefulsets"),
    line("watch", "pods"),
    line("list", "pods", { userAgent: "kubectl", note: "ordinal/local" }),
    line("list", "pods", { requestReceivedTimestamp: "2026-01-01T00:02:00Z" }),
    line("list", "pods", { stage: "Panic" }),
  ];
  writeFileSync(path, `${lines.join("\n")}\n`);
  const [from, to] = [new Date(Date.UTC(2026, 0)), new Date(Date.UTC(2026, 0, 1, 0, 1))];
  const query = { agent: "ordinal/local", from, to };
  const counted = await readAudit(path, query);
  const elsewhere = await readAudit(path, { ...query, namespace: "shop" });
  rmSync(folder, { recursive: true });
  expect(counted).toEqual({ writes: 1, sweeps: 1, looks: 1, relists: 1, otherReads: 1 });
  expect(elsewhere).toEqual({ writes: 0, sweeps: 0, looks: 0, relists: 0, otherReads: 0 });
});
