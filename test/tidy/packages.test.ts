// Dependencies: exact versions, so that a change of one is a commit, and a lockfile that names no host.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../../infra/dev/tool.ts";

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

function looseVersions({ dependencies, devDependencies }: Manifest): readonly string[] {
  return Object.entries({ ...dependencies, ...devDependencies })
    .filter(([, version]) => !/^(?:npm:@?[a-z0-9/-]+@)?\d+\.\d+\.\d+$/.test(version))
    .map(([name, version]) => `${name}: ${version}`);
}

const hostsIn = (text: string): readonly string[] => text.match(/"resolved": *"[^"]*"/g) ?? [];

test("every dependency is pinned to one version", () => {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest;
  expect(looseVersions(manifest)).toEqual([]);
});

test("the lockfile names no registry host", () => {
  expect(hostsIn(readFileSync(join(root, "package-lock.json"), "utf8"))).toEqual([]);
});

test("canary: a range and a host are caught", () => {
  expect(
    looseVersions({ dependencies: { a: "^1.0.0", b: "1.0.0" }, devDependencies: { c: "npm:d@latest" } }),
  ).toEqual(["a: ^1.0.0", "c: npm:d@latest"]);
  expect(hostsIn('{ "resolved": "https://registry.example/a.tgz" }')).toHaveLength(1);
});
