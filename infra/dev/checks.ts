// The checks of `npm run check`: what each one runs and what counts as its failure.
// A check gives the lines a person needs to see, and none when all is well. The compiler and the style linter are
// also run on fixtures that break their rules, because a tool that was misconfigured into silence looks like success.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { boundaryFailures } from "./boundaries.ts";
import { promiseFailures } from "./promises.ts";
import { fixture, missingRules, root, runTool, type ToolResult } from "./tool.ts";

export interface Check {
  readonly name: string;
  readonly failures: () => Promise<readonly string[]>;
}

const unless = (passed: boolean, { output }: ToolResult): string[] =>
  passed ? [] : [output.trim() || "no output"];

/** One compiler error per strictness flag that the fixture breaks. */
const compilerErrors = ["TS2322", "TS2375", "TS1294", "TS4111", "TS6133", "TS4114"];

async function typeFailures(): Promise<string[]> {
  const [product, page, canary] = await Promise.all([
    runTool("tsc", ["--noEmit"]),
    runTool("tsc", ["--noEmit", "--project", "shared/dashboard/client"]),
    runTool("tsc", ["--noEmit", "--project", `${fixture}/types`]),
  ]);
  const reported = new Set(canary.output.match(/TS\d+/g) ?? []);
  const found = [...unless(product.code === 0, product), ...unless(page.code === 0, page)];
  return [...found, ...missingRules("tsc", compilerErrors, reported)];
}

const styleRules = ["noExplicitAny", "noUnusedVariables"];

async function styleFailures(): Promise<string[]> {
  const [product, canary] = await Promise.all([
    runTool("biome", ["check", "--max-diagnostics=50"]),
    runTool("biome", ["lint", "--reporter=json", "."], `${fixture}/style`),
  ]);
  const reported = new Set(styleRules.filter((rule) => canary.stdout.includes(`/${rule}"`)));
  return [...unless(product.code === 0, product), ...missingRules("biome", styleRules, reported)];
}

async function deadCodeFailures(): Promise<string[]> {
  const result = await runTool("knip", ["--no-progress", "--no-config-hints"]);
  return unless(result.code === 0, result);
}

async function tidyFailures(): Promise<string[]> {
  if (!existsSync(join(root, "test/tidy"))) return ["test/tidy is missing"];
  const result = await runTool("vitest", ["run", "--project", "tidy", "--reporter=dot"]);
  return unless(result.code === 0, result);
}

export const tidy: Check = { name: "tidy", failures: tidyFailures };

export const checks: readonly Check[] = [
  { name: "types", failures: typeFailures },
  { name: "style", failures: styleFailures },
  { name: "promises", failures: promiseFailures },
  { name: "boundaries", failures: boundaryFailures },
  { name: "dead code", failures: deadCodeFailures },
];
