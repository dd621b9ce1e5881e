// Nothing half-done is committed: no test that does not run or asserts nothing, no silenced compiler, no note to
// come back later, and no module that does not say what it is for.

import ts from "typescript";
import { expect, test } from "vitest";
import { type Source, scan, sources } from "./tree.ts";

// Bracketed letters keep these patterns from matching their own lines.
const unfinished = /\b(?:T[O]DO|FIX[M]E|X[X]X|H[A]CK)\b/;
const silenced = /@ts-(?:igno[r]e|noche[c]k)/;

function flaggedLines({ path, text }: Source, pattern: RegExp): readonly string[] {
  return text.split("\n").flatMap((line, index) => {
    const found = pattern.exec(line);
    return found === null ? [] : [`${path}:${index + 1} ${found[0]}`];
  });
}

/** `skipIf` and a skip with a reason inside a test are allowed; they are decided when the test runs. */
function idleTests(source: Source): readonly string[] {
  return scan(source, (node) => {
    if (!ts.isPropertyAccessExpression(node)) return undefined;
    const isRunner = /^(?:test|it|describe|suite)(?:\.|$)/.test(node.expression.getText());
    return isRunner && /^(?:only|skip|todo|fails)$/.test(node.name.text) ? node.getText() : undefined;
  });
}

/** A suite that several files run is a module of cases, which is asked for its assertions itself. */
const runsCases = /from "\.\/[a-z-]+-cases\.ts"/;

function assertsNothing(source: Source): readonly string[] {
  if (runsCases.test(source.text)) return [];
  const calls = scan(source, (node) =>
    ts.isCallExpression(node) && /^(?:expect|assert|fc\.assert)/.test(node.expression.getText())
      ? "asserts"
      : undefined,
  );
  return calls.length === 0 ? [`${source.path} asserts nothing`] : [];
}

const castsToAny = (source: Source): readonly string[] =>
  scan(source, (node) =>
    ts.isAsExpression(node) && node.type.kind === ts.SyntaxKind.AnyKeyword ? "casts to any" : undefined,
  );

const lacksPurpose = ({ path, text }: Source): readonly string[] =>
  /^(?:#!.*\n)?\/[/*]/.test(text) ? [] : [`${path} does not open with what it is for`];

test("no code is left unfinished", () => {
  const all = sources(/\.(?:ts|mjs|go|sh|ya?ml)$/);
  expect(all.flatMap((source) => flaggedLines(source, unfinished))).toEqual([]);
});

test("the compiler is never silenced", () => {
  const all = sources(/\.(?:ts|mjs)$/);
  expect(all.flatMap((source) => [...flaggedLines(source, silenced), ...castsToAny(source)])).toEqual([]);
});

test("every test runs and every test file asserts something", () => {
  const tests = sources(/^test\/.*(?:\.test|-cases)\.ts$/);
  expect(tests.flatMap((source) => [...idleTests(source), ...assertsNothing(source)])).toEqual([]);
});

test("every module opens with what it is for", () => {
  expect(sources(/^(?:functions|shared|infra|test)\/.*\.(?:ts|mjs)$/).flatMap(lacksPurpose)).toEqual([]);
});

test("canary: each kind of unfinished work is caught", () => {
  const sample = (text: string): Source => ({ path: "x.ts", text });
  expect(flaggedLines(sample("// T-ODO later".replace("-", "")), unfinished)).toHaveLength(1);
  expect(flaggedLines(sample("// @ts-ig-nore".replace("ig-n", "ign")), silenced)).toHaveLength(1);
  expect(castsToAny(sample("const a = b as any;"))).toHaveLength(1);
  expect(
    idleTests(sample('test.only("a", f); describe.skip("b", f); it.concurrent.todo("c");')),
  ).toHaveLength(3);
  expect(idleTests(sample('test.skipIf(x)("a", f); cursor.skip(1);'))).toEqual([]);
  expect(assertsNothing(sample('test("a", () => run());'))).toHaveLength(1);
  expect(assertsNothing(sample('test("a", () => expect(run()).toBe(1));'))).toEqual([]);
  expect(lacksPurpose(sample('import x from "x";'))).toHaveLength(1);
});
