// The brain is a pure function of plain data: it reads no clock, draws no lot and waits for nothing.
// Elsewhere in shared the time comes through the Clock port, so that a simulation can own it.

import ts from "typescript";
import { expect, test } from "vitest";
import { type Source, scan, sources } from "./tree.ts";

const clockCalls = new Set(["Date.now", "performance.now", "process.hrtime", "process.hrtime.bigint"]);
const impureCalls = new Set([
  "Math.random",
  "crypto.randomUUID",
  "randomUUID",
  "setTimeout",
  "setInterval",
  "queueMicrotask",
  "fetch",
]);

function readsClock(node: ts.Node): string | undefined {
  if (ts.isCallExpression(node) && clockCalls.has(node.expression.getText())) {
    return `reads the clock with ${node.expression.getText()}`;
  }
  const isBareDate =
    ts.isNewExpression(node) &&
    node.expression.getText() === "Date" &&
    (node.arguments === undefined || node.arguments.length === 0);
  return isBareDate ? "reads the clock with new Date()" : undefined;
}

function isImpure(node: ts.Node): string | undefined {
  if (node.kind === ts.SyntaxKind.AsyncKeyword) return "is asynchronous";
  if (ts.isAwaitExpression(node)) return "waits";
  if (ts.isCallExpression(node) && impureCalls.has(node.expression.getText())) {
    return `calls ${node.expression.getText()}`;
  }
  if (ts.isStringLiteral(node) && node.text.startsWith("node:")) return `imports ${node.text}`;
  return ts.isPropertyAccessExpression(node) && node.expression.getText() === "process"
    ? "reads the process"
    : readsClock(node);
}

const impurities = (source: Source): readonly string[] => scan(source, isImpure);
const clockReadings = (source: Source): readonly string[] => scan(source, readsClock);

test("decide, annotations, schedule and model are pure", () => {
  const pure = sources(/^shared\/(?:decide|annotations|schedule|model)\/.*\.ts$/);
  expect(pure.flatMap(impurities)).toEqual([]);
});

test("only adapters, hosts, the command line and the program in the browser read the clock", () => {
  const timeless = sources(
    /^(?:functions|shared\/(?!adapters\/|hosts\/|cli\/|dashboard\/client\/)[^/]+)\/.*\.ts$/,
  );
  expect(timeless.flatMap(clockReadings)).toEqual([]);
});

test("canary: each impurity is caught, and a date made of a value is not", () => {
  const impure = [
    "const a = Date.now();",
    "const b = new Date();",
    "const c = Math.random();",
    "async function d() {}",
    "await e;",
    'import { readFileSync } from "node:fs";',
    "const f = process.env;",
  ];
  for (const text of impure) expect(impurities({ path: "x.ts", text }), text).toHaveLength(1);
  expect(clockReadings({ path: "x.ts", text: "new Date(0); Date.now(); new Date();" })).toHaveLength(2);
  expect(impurities({ path: "x.ts", text: "const at = new Date(seconds * 1000);" })).toEqual([]);
});
