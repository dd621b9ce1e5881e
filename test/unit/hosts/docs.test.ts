/** docs/events.md says what the functions really accept and wake, and serverless.yml names them all. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { lambdaFunctions } from "../../../infra/lambda/bundle.ts";
import type { Change, ChangeEvent } from "../../../shared/hosts/events.ts";
import type { EventFunction } from "../../../shared/hosts/functions.ts";
import { EVENT_FUNCTIONS, REQUEST_FUNCTIONS } from "./functions.ts";

const root = join(import.meta.dirname, "../../..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");

const OBJECT_NAMES: Readonly<Record<string, string>> = {
  Job: "mysql-backup-20261123030000-1",
  Pod: "mysql-0",
  Service: "mysql-primary",
  StatefulSet: "mysql",
};

/** A row of the table as the function behaves when it is asked. */
function changeRow(fn: EventFunction & { on: "change" }, kind: string, change: Change): string {
  const object = { kind, namespace: "shop", name: OBJECT_NAMES[kind] ?? "" };
  const event = (failing: boolean): ChangeEvent => ({
    ...{ kind: "change", id: "1", change, object, cluster: null, failing },
  });
  const plain = fn.handle(event(false)).wakes[0];
  const wake = plain ?? fn.handle(event(true)).wakes[0];
  expect(wake?.ref).toEqual({ namespace: "shop", name: "mysql" });
  const type = plain === undefined ? `\`resource.${change}\`, failing` : `\`ref.${change}\``;
  const wakes = kind === "StatefulSet" ? "the cluster of that name" : `the cluster of the ${kind}`;
  return `| \`${fn.name}\` | ${kind} | ${type} | ${wakes} | ${wake?.priority} |`;
}

function rowsOf(fn: EventFunction): string[] {
  if (fn.on === "change") {
    return fn.accepts.flatMap(({ kind, changes }) => changes.map((change) => changeRow(fn, kind, change)));
  }
  return fn.accepts.map((type) => {
    const { wakes, sweep, backups, archives } = fn.handle({ kind: "tick", id: "1", type });
    expect([wakes.length, Number(sweep) + Number(backups) + Number(archives)]).toEqual([0, 1]);
    const due = backups
      ? "every cluster of which a backup is due"
      : archives
        ? "every cluster whose logs are archived"
        : "every cluster that is due";
    return `| \`${fn.name}\` | – | \`${type}\` | ${due} | normal |`;
  });
}

test("the table of docs/events.md is what the functions do", () => {
  const functionNames = new Set(EVENT_FUNCTIONS.map(({ name }) => name));
  // How wide the formatter makes a column says nothing.
  const rows = read("docs/events.md")
    .split("\n")
    .map((line) => line.replace(/ +/g, " "))
    .filter((line) => functionNames.has(/^\| `([a-z-]+)` \|/.exec(line)?.[1] ?? ""));
  expect(rows.sort()).toEqual(EVENT_FUNCTIONS.flatMap(rowsOf).sort());
});

test("each function has a folder of its name, and an entry with its own artifact in serverless.yml if it can end", () => {
  const folders = readdirSync(join(root, "functions"));
  const names = [...EVENT_FUNCTIONS, ...REQUEST_FUNCTIONS].map(({ name }) => name);
  expect(names.sort()).toEqual(folders.sort());
  const manifest = read("serverless.yml");
  const entries = [...manifest.slice(manifest.indexOf("\nfunctions:")).matchAll(/^ {2}([a-z-]+):$/gm)];
  const packaged = lambdaFunctions();
  expect(entries.map(([, name]) => name).sort()).toEqual(packaged);
  for (const folder of packaged) expect(manifest).toContain(`artifact: dist/functions/${folder}.zip`);
});
