/** `--help` of every command: it has examples, and each of them is one that the program takes; docs/cli.md names all commands. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ordinal, usageOf } from "./support.ts";

async function commands(): Promise<readonly string[]> {
  const { out } = await ordinal("--help");
  const listed = out.split("\nCommands:\n")[1] ?? "";
  const names = [...listed.matchAll(/^ {2}([a-z]+)/gm)].map(([, name = ""]) => name);
  return names.filter((name) => name !== "help");
}

const NAMES = await commands();
const page = readFileSync(new URL("../../../docs/cli.md", import.meta.url), "utf8");

test("docs/cli.md names every command in its list, and no other", () => {
  const described = [...page.matchAll(/^kubectl ordinal ([a-z]+)/gm)].map(([, name]) => name);
  expect(new Set(described)).toEqual(new Set(NAMES));
});

describe.each(NAMES)("%s --help", (name) => {
  test("has options that docs/cli.md describes, and examples that are taken", async () => {
    const { exitCode, out } = await ordinal(`${name} --help`);
    expect(exitCode).toBe(0);
    const [usage = "", examples = ""] = out.split("\nExamples:\n");
    const lines = [...examples.matchAll(/^ {2}kubectl ordinal (.+)$/gm)].map(([, line = ""]) => line);
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) {
      expect(line.startsWith(`${name} `) || line === name).toBe(true);
      const options = [...line.matchAll(/ (--?[a-z-]+)/g)].map(([, option = ""]) => option);
      const known = await usageOf(line);
      for (const option of options) expect(known).toContain(option);
    }
    for (const [, option = ""] of usage.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)) {
      if (option !== "--help") expect([name, option, page.includes(option)]).toEqual([name, option, true]);
    }
  });
});
