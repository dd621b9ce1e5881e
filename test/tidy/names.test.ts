// Names: one spelling for files, the project's vocabulary in code, and a fixed set of folders.

import ts from "typescript";
import { expect, test } from "vitest";
import { paths, type Source, scan, sources } from "./tree.ts";

const topFolders = new Set([".ci", "docs", "functions", "infra", "shared", "test"]);

const layers = new Set([
  "model",
  "annotations",
  "schedule",
  "decide",
  "engines",
  "ports",
  "access",
  "observe",
  "execute",
  "reconcile",
  "backup",
  "adapters",
  "hosts",
  "cli",
  "dashboard",
]);

/** Words that name nothing, and the two that the vocabulary replaced by primary and replica. */
const vagueWord = /^(?:master|slave|heal(?:s|ed|er|ing)?|utils?|helpers?|managers?)$/;
const vagueFileWord = /^(?:services?|data|info|common|misc)$/;

/** Names that others gave and we must spell as they do. */
const foreignNames = new Set(["fieldManager"]);

const wordsOf = (name: string): readonly string[] =>
  name
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/);

function badFileNames(path: string): readonly string[] {
  const [folder, ...rest] = path.split("/");
  const parts = [folder ?? "", ...rest].map((part) => part.replace(/\.[a-z0-9.]+$/, ""));
  const misspelt = parts.filter((part) => !/^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(part));
  const vague = parts.filter((part) => wordsOf(part).some((word) => vagueWord.test(word)));
  const whole = parts.filter((part) => vagueFileWord.test(part));
  return [
    ...misspelt.map((part) => `${path}: "${part}" is not in kebab-case`),
    ...[...vague, ...whole].map((part) => `${path}: "${part}" does not say what it is for`),
  ];
}

function declaredName(node: ts.Node): string | undefined {
  const named =
    ts.isVariableDeclaration(node) ||
    ts.isParameter(node) ||
    ts.isFunctionDeclaration(node) ||
    ts.isClassDeclaration(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node) ||
    ts.isPropertySignature(node) ||
    ts.isMethodSignature(node);
  return named && node.name !== undefined && ts.isIdentifier(node.name) ? node.name.text : undefined;
}

function vagueNames(source: Source): readonly string[] {
  return scan(source, (node) => {
    const name = declaredName(node);
    if (name === undefined || foreignNames.has(name)) return undefined;
    return wordsOf(name).some((word) => vagueWord.test(word)) ? `the name ${name} is too vague` : undefined;
  });
}

test("source files and folders are named in kebab-case and say what they are for", () => {
  const named = paths.filter((path) => /^(?:functions|shared|infra|test)\/.*\.(?:ts|mjs)$/.test(path));
  expect(named.flatMap(badFileNames)).toEqual([]);
});

test("names in shared and functions use the vocabulary", () => {
  expect(sources(/^(?:shared|functions)\/.*\.ts$/).flatMap(vagueNames)).toEqual([]);
});

test("there is no folder beside the known ones", () => {
  const folders = new Set(paths.filter((path) => path.includes("/")).map((path) => path.split("/")[0] ?? ""));
  expect([...folders].filter((folder) => !topFolders.has(folder))).toEqual([]);
  const shared = new Set(
    paths.filter((path) => path.startsWith("shared/")).map((path) => path.split("/")[1] ?? ""),
  );
  expect([...shared].filter((folder) => !layers.has(folder))).toEqual([]);
});

test("canary: misspelt and vague names are caught, good ones are not", () => {
  expect(badFileNames("shared/model/GtidSet.ts")).toHaveLength(1);
  expect(badFileNames("shared/model/string-utils.ts")).toHaveLength(1);
  expect(badFileNames("shared/model/data.ts")).toHaveLength(1);
  expect(badFileNames("test/unit/gtid-set.test.ts")).toEqual([]);
  const text = "interface PodManager { masterUuid: string; fieldManager: string; health: number }";
  expect(vagueNames({ path: "x.ts", text })).toHaveLength(2);
});
