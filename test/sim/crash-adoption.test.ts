/** The crash sweep of adoption. */
import { expect, test } from "vitest";
import { crashCases } from "./crash-cases.ts";
import { WORKFLOWS } from "./workflows.ts";

const adoption = WORKFLOWS.slice(0, 1);

test("adoption is swept here", () => {
  expect(adoption.map(({ name }) => name)).toEqual([expect.stringMatching(/^adoption/)]);
});

crashCases(adoption);
