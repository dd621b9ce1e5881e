// Limits on size: what does not fit on a screen or two is no longer read as a whole.

import { statSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";
import { root } from "../../infra/dev/tool.ts";
import { linesOf, paths, type Source, scan, sources } from "./tree.ts";

const fileLinesMax = 400;
const functionLinesMax = 70;
const deployedFunctionLinesMax = 40;
const fileBytesMax = 1024 * 1024;

function tooLong({ path, text }: Source, linesMax: number): readonly string[] {
  const lines = linesOf(text);
  return lines > linesMax ? [`${path} has ${lines} lines, at most ${linesMax} are allowed`] : [];
}

/** `describe` only groups tests, so its callback is as long as its tests together. */
function isGroupOfTests(node: ts.Node): boolean {
  return ts.isCallExpression(node.parent) && /^describe\b/.test(node.parent.expression.getText());
}

/** Lines of a function without those of the functions in it, which are counted for themselves. */
function ownLines(node: ts.Node): number {
  let inner = 0;
  const visit = (child: ts.Node): void => {
    if (ts.isFunctionLike(child)) inner += Math.max(0, linesOf(child.getText()) - 1);
    else ts.forEachChild(child, visit);
  };
  ts.forEachChild(node, visit);
  return linesOf(node.getText()) - inner;
}

function longFunctions(source: Source): readonly string[] {
  return scan(source, (node) => {
    if (!ts.isFunctionLike(node) || isGroupOfTests(node)) return undefined;
    const lines = ownLines(node);
    return lines > functionLinesMax ? `a function of ${lines} lines, at most ${functionLinesMax}` : undefined;
  });
}

test("no source file is longer than the limit", () => {
  expect(sources(/\.(ts|mjs|go|sh)$/).flatMap((source) => tooLong(source, fileLinesMax))).toEqual([]);
});

test("no function is longer than the limit", () => {
  expect(sources(/\.(ts|mjs)$/).flatMap(longFunctions)).toEqual([]);
});

test("a deployed function only wires", () => {
  const wiring = sources(/^functions\/.*\.ts$/);
  expect(wiring.flatMap((source) => tooLong(source, deployedFunctionLinesMax))).toEqual([]);
});

test("no large file is committed", () => {
  expect(paths.filter((path) => statSync(join(root, path)).size > fileBytesMax)).toEqual([]);
});

test("canary: the limits catch a long file and a long function, but not a long group", () => {
  const body = "  work();\n".repeat(functionLinesMax);
  const long: Source = { path: "long.ts", text: `function long() {\n${body}}\n` };
  const group: Source = { path: "group.test.ts", text: `describe("all", () => {\n${body}});\n` };
  expect(tooLong(long, deployedFunctionLinesMax)).toHaveLength(1);
  expect(longFunctions(long)).toHaveLength(1);
  expect(longFunctions(group)).toEqual([]);
});
