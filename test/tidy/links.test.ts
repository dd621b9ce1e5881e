// Links between documents: a relative link leads to a file that exists, and its anchor to a heading in it.

import { existsSync, readFileSync, statSync } from "node:fs";
import { join, posix } from "node:path";
import { expect, test } from "vitest";
import { root } from "../../infra/dev/tool.ts";
import { type Source, sources } from "./tree.ts";

const withoutCode = (text: string): string =>
  text.replace(/^```[\s\S]*?^```/gm, "").replace(/`[^`\n]*`/g, "");

/** The anchor that the usual Markdown viewers make of a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replace(/\s/g, "-");

function anchorsOf(text: string): ReadonlySet<string> {
  const headings = text.replace(/^```[\s\S]*?^```/gm, "").matchAll(/^#{1,6} (.+)$/gm);
  const named = text.matchAll(/<a (?:id|name)="([^"]+)"/g);
  return new Set([
    ...[...headings].map(([, title]) => anchorOf(title ?? "")),
    ...[...named].map(([, id]) => id ?? ""),
  ]);
}

function isDeadLink(target: string, { path, text }: Source): boolean {
  const [file = "", anchor] = decodeURI(target).split("#");
  const linked = join(root, file.startsWith("/") ? file : posix.join(posix.dirname(path), file));
  if (file !== "" && !existsSync(linked)) return true;
  if (anchor === undefined || (file !== "" && (!linked.endsWith(".md") || statSync(linked).isDirectory()))) {
    return false;
  }
  return !anchorsOf(file === "" ? text : readFileSync(linked, "utf8")).has(anchor);
}

function deadLinks(source: Source): readonly string[] {
  return [...withoutCode(source.text).matchAll(/\]\(<?([^)>\s]+)>?(?:\s+"[^"]*")?\)/g)]
    .map(([, target]) => target ?? "")
    .filter((target) => !/^[a-z][a-z+.-]*:/i.test(target))
    .filter((target) => isDeadLink(target, source))
    .map((target) => `${source.path} links to ${target}`);
}

test("every relative link in a document resolves", () => {
  expect(sources(/\.md$/).flatMap(deadLinks)).toEqual([]);
});

test("canary: a dead link and a dead anchor are caught, living and outside ones are not", () => {
  const text =
    "# A title\n[a](not-there.md) [b](#no-title) [c](#a-title) [d](LICENSE) [e](https://example.org/x)";
  expect(deadLinks({ path: "README.md", text })).toEqual([
    "README.md links to not-there.md",
    "README.md links to #no-title",
  ]);
});
