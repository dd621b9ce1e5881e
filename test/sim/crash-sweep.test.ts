/** Every workflow but adoption, which has a file of its own so that both can run side by side. */
import { expect, test } from "vitest";
import { crashCases } from "./crash-cases.ts";
import { WORKFLOWS } from "./workflows.ts";

const others = WORKFLOWS.slice(1);

test("no workflow is left out", () => {
  expect(others.length).toBeGreaterThanOrEqual(4);
  expect(others.filter(({ name }) => name.startsWith("adoption"))).toEqual([]);
});

crashCases(others);
