// Checks that no promise is left to itself: an effect that nobody awaits may happen after the pass has ended.
// Only the promise rules of this linter are used; everything else is Biome's. The folders are named, because
// without them it walks node_modules.

import { codeFolders, fixture, missingRules, parseJson, runTool } from "./tool.ts";

const rules = [
  "no-floating-promises",
  "no-misused-promises",
  "await-thenable",
  "prefer-promise-reject-errors",
];

interface LintReport {
  readonly number_of_files: number;
  readonly diagnostics: readonly {
    readonly message: string;
    readonly code: string;
    readonly filename: string;
    readonly labels: readonly { readonly span: { readonly line: number } }[];
  }[];
}

async function lint(paths: readonly string[]): Promise<LintReport> {
  const denied = rules.flatMap((rule) => ["-D", `typescript/${rule}`]);
  const args = ["--type-aware", "-A", "all", ...denied, "--format", "json", ...paths];
  return parseJson<LintReport>(await runTool("oxlint", args));
}

async function productFailures(): Promise<string[]> {
  const report = await lint(["--ignore-pattern", `${fixture}/**`, ...codeFolders()]);
  const found = report.diagnostics.map(
    ({ filename, labels, message, code }) => `${filename}:${labels[0]?.span.line ?? 0} ${message} ${code}`,
  );
  return report.number_of_files === 0 ? [...found, "oxlint read no file"] : found;
}

async function canaryFailures(): Promise<string[]> {
  const report = await lint([`${fixture}/promises`]);
  const reported = new Set(report.diagnostics.map(({ code }) => code.replace(/^.*\((.*)\)$/, "$1")));
  return missingRules("oxlint", rules, reported);
}

export async function promiseFailures(): Promise<string[]> {
  const [product, canary] = await Promise.all([productFailures(), canaryFailures()]);
  return [...product, ...canary];
}
