/** The two pages for users say exactly what the tables in code say: nothing missing, nothing extra. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { KEYS } from "../../../shared/annotations/keys.ts";
import { type Phase, PROBLEM_CODES } from "../../../shared/model/condition.ts";
import { EVENT_REASONS } from "../../../shared/model/event-reason.ts";

function page(name: string): string {
  return readFileSync(new URL(`../../../docs/${name}`, import.meta.url), "utf8");
}

function chapter(text: string, title: string): string {
  const [, after = ""] = text.split(`\n## ${title}\n`);
  return after.split("\n## ")[0] ?? "";
}

const headings = (text: string): string[] =>
  [...text.matchAll(/^### (.+)$/gm)].map(([, title = ""]) => title);

const keys = Object.values(KEYS);

test("annotations.md has one row per key, with its object, writer, limit and meaning", () => {
  const rows = chapter(page("annotations.md"), "Every key")
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) => line.replaceAll(/ +/g, " "));
  const wanted = keys.map(({ key, where, objects, writer, bytesMax, meaning }) => {
    const by = writer === "user" ? "you" : "Ordinal";
    return `| \`${key}\` | ${where} of ${objects.join(" and ")} | ${by} | ${bytesMax} bytes | ${meaning} |`;
  });
  expect(rows).toEqual(wanted);
});

test("annotations.md has a section for each key that a user writes, with all that a user asks", () => {
  const text = chapter(page("annotations.md"), "Annotations you write");
  const wishes = keys.filter(({ writer }) => writer === "user").map(({ key }) => key);
  expect(headings(text)).toEqual(wishes.map((key) => `\`${key}\``));
  for (const key of wishes) {
    const section = text.split(`### \`${key}\``)[1]?.split("\n### ")[0] ?? "";
    for (const part of ["Who writes it", "Grammar", "Default", "Example", "When wrong"]) {
      expect(section, key).toContain(`- ${part}: `);
    }
  }
});

test("annotations.md names no key that does not exist", () => {
  const named = [...page("annotations.md").matchAll(/ordinal\.dev\/([a-z-]+)/g)].map(([key]) => key);
  const known: readonly string[] = keys.map(({ key }) => key);
  expect(named.filter((key) => !known.includes(key))).toEqual([]);
});

test.each([
  ["Problems", Object.keys(PROBLEM_CODES)],
  ["Events", Object.keys(EVENT_REASONS)],
])("conditions.md explains every word of %s, and no other", (title, words) => {
  const text = chapter(page("conditions.md"), title);
  expect(headings(text)).toEqual(words);
  for (const section of text.split("\n### ").slice(1)) {
    expect(section).toMatch(/^\w+\n\n- Means: .+\n- Ordinal: .+\n- You: .+\n*$/);
  }
});

test("conditions.md explains every phase", () => {
  const phases: Record<Phase, true> = {
    Healthy: true,
    Degraded: true,
    Adopting: true,
    Reopening: true,
    FailingOver: true,
    SwitchingOver: true,
    Scaling: true,
    RollingOut: true,
    Restoring: true,
    Blocked: true,
    Paused: true,
    Releasing: true,
    Released: true,
  };
  const rows = [...chapter(page("conditions.md"), "Phases").matchAll(/^\| ([A-Z][A-Za-z]+) +\|/gm)];
  expect(rows.map(([, phase]) => phase).slice(1)).toEqual(Object.keys(phases));
});
