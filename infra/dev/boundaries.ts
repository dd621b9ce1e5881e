// Checks who imports whom, and that the checker itself still sees the code.
// A boundary tool that parses nothing reports nothing and passes; so the run must have read every module of the
// product, and on a fixture with one file per rule it must report exactly the rule each file is named after.

import { basename } from "node:path";
import { codeFolders, filesOf, fixture, missingRules, parseJson, runTool } from "./tool.ts";

interface Violation {
  readonly from: string;
  readonly to: string;
  readonly rule: { readonly name: string };
}

interface CruiseReport {
  readonly modules: readonly { readonly source: string }[];
  readonly summary: {
    readonly violations: readonly Violation[];
    readonly ruleSetUsed: { readonly forbidden: readonly { readonly name: string }[] };
  };
}

const show = ({ rule, from, to }: Violation): string => `${rule.name}: ${from} -> ${to}`;

async function cruise(folder: string, config: string, folders: readonly string[]): Promise<CruiseReport> {
  const args = ["--config", config, "--output-type", "json", ...folders];
  return parseJson<CruiseReport>(await runTool("depcruise", args, folder));
}

async function productFailures(): Promise<string[]> {
  const report = await cruise(".", ".dependency-cruiser.mjs", codeFolders());
  const read = new Set(report.modules.map((module) => module.source));
  const unread = filesOf("{functions,shared}/**/*.ts").filter((path) => !read.has(path));
  return [...report.summary.violations.map(show), ...unread.map((path) => `not read by the tool: ${path}`)];
}

/** The rule that a fixture file breaks on purpose, or undefined for a file that must pass. */
function brokenRule(path: string): string | undefined {
  return /^breaks-(.+)\.ts$/.exec(basename(path))?.[1];
}

async function canaryFailures(): Promise<string[]> {
  const folders = ["functions", "shared", "infra", "test"];
  const { summary } = await cruise(fixture, "../../../.dependency-cruiser.mjs", folders);
  const asNamed = summary.violations.filter((found) => brokenRule(found.from) === found.rule.name);
  const reported = new Set(asNamed.map((found) => found.rule.name));
  const rules = summary.ruleSetUsed.forbidden.map((rule) => rule.name);
  const innocent = summary.violations.filter((found) => brokenRule(found.from) === undefined);
  return [
    ...missingRules("dependency-cruiser", rules, reported),
    ...innocent.map((found) => `canary: an allowed import was reported: ${show(found)}`),
    ...(rules.length === 0 ? ["canary: dependency-cruiser loaded no rules"] : []),
  ];
}

export async function boundaryFailures(): Promise<string[]> {
  const [product, canary] = await Promise.all([productFailures(), canaryFailures()]);
  return [...product, ...canary];
}
