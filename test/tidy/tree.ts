// What the tidy tests look at: every file that is or would be committed, and the syntax tree of each source.
// Asking git keeps build output and other ignored files out without a second list of them.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { fixture, root } from "../../infra/dev/tool.ts";

export interface Source {
  readonly path: string;
  readonly text: string;
}

const listing = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
  cwd: root,
  encoding: "utf8",
});

/** Without the boundary fixtures, which break rules on purpose. */
export const paths: readonly string[] = listing
  .split("\0")
  .filter((path) => path !== "" && !path.startsWith(`${fixture}/`) && existsSync(join(root, path)))
  .sort();

export function sources(pattern: RegExp): readonly Source[] {
  return paths
    .filter((path) => pattern.test(path))
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
}

/** Visits every node; the callback returns a problem or nothing. Problems come with the line to go to. */
export function scan(source: Source, inspect: (node: ts.Node) => string | undefined): readonly string[] {
  const file = ts.createSourceFile(source.path, source.text, ts.ScriptTarget.Latest, true);
  const problems: string[] = [];
  const visit = (node: ts.Node): void => {
    const problem = inspect(node);
    if (problem !== undefined) {
      const { line } = file.getLineAndCharacterOfPosition(node.getStart(file));
      problems.push(`${source.path}:${line + 1} ${problem}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return problems;
}

export function linesOf(text: string): number {
  return text.replace(/\n$/, "").split("\n").length;
}
