/** Every page for users, and not only docs/cli.md: whatever it tells people to type exists. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ANNOTATION, KEYS } from "../../../shared/annotations/keys.ts";
import { parseWish } from "../../../shared/annotations/wish.ts";
import { setWith } from "../annotations/support.ts";
import { usageOf } from "./support.ts";

const root = join(import.meta.dirname, "../../..");
const PAGES = globSync(["README.md", "docs/*.md", "docs/runbooks/*.md"], { cwd: root });
const KNOWN: ReadonlySet<string> = new Set(Object.values(KEYS).map(({ key }) => key));
const WISHES: ReadonlySet<string> = new Set(
  Object.values(KEYS).flatMap(({ key, writer }) => (writer === "user" ? [key] : [])),
);
/** The version of the documents that `-o json` prints. */
const NO_KEY = "ordinal.dev/cli";

/** As far as the command goes: what is said about it stands behind two spaces, a comment sign or the end of the code. */
function commandsIn(text: string): readonly string[] {
  const code = [
    ...[...text.matchAll(/^[ \t]*```[\s\S]*?^[ \t]*```/gm)].flatMap(([block]) => block.split("\n")),
    ...[...text.replace(/^[ \t]*```[\s\S]*?^[ \t]*```/gm, "").matchAll(/`([^`]+)`/g)].map(([, inline = ""]) =>
      inline.replaceAll("\n", " "),
    ),
  ];
  return code.flatMap((line) =>
    [...line.matchAll(/kubectl ordinal ((?:(?! {2}| #|`|\) ).)+)/g)].map(([, words = ""]) => words),
  );
}

async function faultOf(command: string): Promise<string | null> {
  const [verb = ""] = command.split(" ");
  const usage = await usageOf(command);
  if (!usage.includes(`Usage: kubectl ordinal ${verb}`)) return `${verb} is no command`;
  const options = [...command.matchAll(/(?:^| )(--?[a-zA-Z][a-z-]*)/g)].map(([, option = ""]) => option);
  const unknown = options.find((option) => !new RegExp(`(?:^|[ ,])${option}(?:[ ,]|$)`, "m").test(usage));
  return unknown === undefined ? null : `${verb} has no ${unknown}`;
}

/** Values as they are written for a shell or in YAML, and what is wrong with them, beside what each of them needs. */
function valueFaults(text: string): readonly string[] {
  const needed = {
    [ANNOTATION.engine]: "mysql",
    [ANNOTATION.credentials]: "root",
    [ANNOTATION.backupStore]: "s3",
    [ANNOTATION.backupMethod]: "logical",
  };
  const written = text.matchAll(/(ordinal\.dev\/[a-z-]+)(?:: |=)('[^'\n]+'|"[^"\n]+"|[^\s`"',;)]+)/g);
  return [...written].flatMap(([, key = "", quoted = ""]) => {
    const value = quoted.replace(/^(['"])(.*)\1$/, "$2");
    const isPlaceholder = /^[A-Z]+$/.test(value);
    if (isPlaceholder || !WISHES.has(key)) return [];
    return parseWish(setWith({ ...needed, [key]: value })).problems.map(({ message }) => message);
  });
}

async function faultsIn(text: string): Promise<readonly string[]> {
  const faults = await Promise.all(commandsIn(text).map(faultOf));
  const keys = [...text.matchAll(/ordinal\.dev\/[a-z0-9-]*[a-z0-9]/g)].map(([key]) => key);
  const strange = keys.filter((key) => !KNOWN.has(key) && key !== NO_KEY);
  return [
    ...faults.flatMap((fault) => fault ?? []),
    ...strange.map((key) => `${key} is no key`),
    ...valueFaults(text),
  ];
}

test.each(PAGES)("%s names commands, options, keys and values that exist", async (page) => {
  expect(await faultsIn(readFileSync(join(root, page), "utf8"))).toEqual([]);
});

test("canary: what does not exist is found, in a block and in a line", async () => {
  expect(
    await faultsIn(
      "```sh\nkubectl ordinal status mysql --whatever   # all of it\n```\nor `kubectl ordinal fly\nmysql`, or `ordinal.dev/replica`; `kubectl ordinal scale mysql --replicas 5` is right, and `ordinal.dev/pause=yes` is not.",
    ),
  ).toEqual([
    "status has no --whatever",
    "fly is no command",
    "ordinal.dev/replica is no key",
    expect.stringMatching(/^ordinal\.dev\/pause is "yes"/),
  ]);
});

test("the pages have commands to look at, the page of tasks above all", () => {
  const commands = commandsIn(readFileSync(join(root, "docs/how-to.md"), "utf8"));
  expect(new Set(commands.map((command) => command.split(" ")[0])).size).toBeGreaterThan(12);
});
