// Runs one development tool and gives back what it printed; shared by every check.
// It never throws for a tool that fails: a tool's exit code is an answer, only a tool that cannot start is not.

import { spawn } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import { join, resolve } from "node:path";

export const root: string = resolve(import.meta.dirname, "../..");
export const fixture = "test/boundaries/fixture";

export interface ToolResult {
  readonly code: number;
  readonly stdout: string;
  /** Both streams in the order they came, for a person to read. */
  readonly output: string;
}

/** The tool is taken from node_modules, never from the machine, so that everybody runs the same version. */
export function runTool(name: string, args: readonly string[], folder = "."): Promise<ToolResult> {
  const { promise, resolve: done, reject } = Promise.withResolvers<ToolResult>();
  const child = spawn(join(root, "node_modules/.bin", name), args, {
    cwd: join(root, folder),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    output += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  child.on("error", reject);
  child.on("close", (code) => done({ code: code ?? 1, stdout, output }));
  return promise;
}

/** The code folders that exist; several tools fail on a folder that does not. */
export function codeFolders(): readonly string[] {
  return ["functions", "shared", "infra", "test"].filter((folder) => existsSync(join(root, folder)));
}

/** Paths relative to the root, without the fixtures, which break rules on purpose. */
export function filesOf(pattern: string): readonly string[] {
  const found = globSync(pattern, { cwd: root, exclude: ["**/node_modules/**", `${fixture}/**`] });
  return found.map((path) => path.replaceAll("\\", "/")).sort();
}

export function parseJson<T>(result: ToolResult): T {
  try {
    return JSON.parse(result.stdout) as T;
  } catch (cause) {
    throw new Error(`the tool printed no JSON report:\n${result.output}`, { cause });
  }
}

/** The canary's verdict: a rule that stays silent on code made to break it is as bad as a broken rule. */
export function missingRules(
  what: string,
  expected: Iterable<string>,
  reported: ReadonlySet<string>,
): string[] {
  return [...expected]
    .filter((rule) => !reported.has(rule))
    .map((rule) => `canary: ${what} did not report ${rule} on the fixture that breaks it`);
}
