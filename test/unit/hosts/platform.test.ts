/** Log lines stay lines whatever they hold, passwords have their length, and the folder of functions is served. */
import { expect, test } from "vitest";
import {
  loadFunctions,
  SOURCE_FOLDER,
  selectFunctions,
} from "../../../shared/hosts/local/function-folder.ts";
import { createLog, systemIds } from "../../../shared/hosts/local/platform.ts";
import { startLocalHost } from "../../../shared/hosts/local/start.ts";
import { HOSTILE, isPlainSentence } from "../../support/hostile.ts";
import { EVENT_FUNCTIONS, REQUEST_FUNCTIONS } from "./functions.ts";

function written(format: "json" | "text"): string[] {
  const lines: string[] = [];
  const log = createLog(format, (text) => lines.push(text));
  log.info("pass", { cluster: "shop/mysql", tookMs: 5, phase: null, left: undefined });
  log.warn("pass", { message: 'broken\nmessage="forged" outcome=settled' });
  return lines;
}

test("text", () => {
  const [first = "", second = ""] = written("text");
  expect(first).toMatch(/^\S+ info pass cluster=shop\/mysql tookMs=5 phase=null\n$/);
  expect(second).toMatch(/^\S+ WARN pass message="broken\\nmessage=\\"forged\\" outcome=settled"\n$/);
});

test("JSON, one object a line, whose own fields cannot be replaced", () => {
  const [first, second] = written("json").map((line) => JSON.parse(line));
  expect(first).toMatchObject({
    level: "info",
    message: "pass",
    cluster: "shop/mysql",
    tookMs: 5,
    phase: null,
  });
  expect(second).toMatchObject({ level: "warn", message: "pass" });
});

test.each(["text", "json"] as const)(
  "nothing in a line of %s drives a terminal or breaks the line",
  (format) => {
    for (const { value } of HOSTILE) {
      const lines: string[] = [];
      createLog(format, (text) => lines.push(text)).warn(value, { why: value });
      expect(lines).toHaveLength(1);
      expect(isPlainSentence(lines[0]?.slice(0, -1) ?? "\n", Number.POSITIVE_INFINITY)).toBe(true);
      if (format === "json") expect(JSON.parse(lines[0] ?? "")).toMatchObject({ message: value, why: value });
    }
  },
);

test("passwords and fractions", () => {
  expect(systemIds.password()).toMatch(/^[A-Za-z0-9]{32}$/);
  expect(systemIds.password()).not.toBe(systemIds.password());
  const fraction = systemIds.fraction();
  expect(fraction >= 0 && fraction < 1).toBe(true);
});

test("the local host serves every folder of functions", async () => {
  const { events, requests } = await loadFunctions(SOURCE_FOLDER);
  expect(events.map(({ name }) => name)).toEqual(EVENT_FUNCTIONS.map(({ name }) => name));
  expect(requests.map(({ name }) => name)).toEqual(REQUEST_FUNCTIONS.map(({ name }) => name));
});

test("some of them alone can be served, and one that does not exist is a mistake", async () => {
  const all = await loadFunctions(SOURCE_FOLDER);
  expect(selectFunctions(all, [])).toEqual(all);
  const two = selectFunctions(all, ["status", "sweep"]);
  expect([two.events, two.requests].map((fns) => fns.map(({ name }) => name))).toEqual([
    ["sweep"],
    ["status"],
  ]);
  expect(() => selectFunctions(all, ["scal"])).toThrow(/no function scal, only .*scale/);
});

test("functions of requests that nobody can reach are a mistake", async () => {
  const functions = selectFunctions(await loadFunctions(SOURCE_FOLDER), ["scale"]);
  await expect(startLocalHost({ functions })).rejects.toThrow("without a port for HTTP");
});

test("a folder without functions is a mistake", async () => {
  await expect(loadFunctions(import.meta.dirname)).rejects.toThrow("holds no index module");
});
