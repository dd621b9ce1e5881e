/**
 * A plan for people, from the same document that `-o json` prints: every step with where it happens, its statements
 * whole, and of objects what changes; values too long for a line are named only. Pure.
 */
import { oneLine } from "../annotations/text.ts";
import type { PlanDocument } from "../model/documents.ts";
import type { ChangeOfObject, PlannedStep } from "../model/plan.ts";
import type { Paint } from "./table.ts";

const VALUE_MAX = 64;
/** Known from the name of the object, or the same for everything that Ordinal makes. */
const PLAIN = /^metadata\.(?:ownerReferences|labels\.app\.kubernetes\.io)/;
const GROUP = /^metadata\.(?:annotations|labels)\./;

function fieldText([path, value]: readonly [string, string | number | null]): string {
  const name = path.replace(GROUP, "");
  if (value === null) return `${name} removed`;
  const text = String(value);
  return text.length > VALUE_MAX ? name : `${name} = ${oneLine(text, VALUE_MAX)}`;
}

/** What an Event says stands in the step already. */
function changeLines({ verb, object, fields }: ChangeOfObject): readonly string[] {
  if (object.startsWith("Event/")) return [];
  const texts = Object.entries(fields)
    .filter(([path]) => !PLAIN.test(path))
    .map(fieldText);
  const rest = texts.length === 0 ? "" : `: ${texts.join(", ")}`;
  return [`${verb} ${object}${rest}`];
}

function stepLines(
  { what, where, statements, changes, hindered }: PlannedStep,
  number: number,
): readonly string[] {
  const servers = where.filter((one) => !one.includes("/"));
  const several = new Set(statements.map(({ server }) => server)).size > 1;
  const head = servers.length === 0 ? what : `${servers.join(", ")}: ${what}`;
  return [
    `${String(number).padStart(3)}. ${oneLine(head, 400)}`,
    ...statements.map(({ server, sql }) => `       ${several ? `${server}: ` : ""}${sql};`),
    ...changes.flatMap(changeLines).map((line) => `       ${line}`),
    ...(hindered === null ? [] : [`       would not succeed now: ${oneLine(hindered, 200)}`]),
  ];
}

export function renderPlan(document: PlanDocument, paint: Paint): string {
  const { namespace, name, wish, why, stages, complete } = document;
  const cluster = `${namespace}/${name}`;
  const lines: string[] = wish === null ? [] : [`Would write ${wish} on StatefulSet ${cluster}.`];
  if (stages.length === 0) {
    lines.push(`${cluster}: nothing${wish === null ? "" : " else"} would be done. ${oneLine(why, 400)}`);
  }
  let number = 0;
  for (const stage of stages) {
    lines.push("", paint(oneLine(stage.why, 400), "attention"));
    for (const step of stage.steps) {
      number += 1;
      lines.push(...stepLines(step, number));
    }
  }
  if (!complete) lines.push("", "What follows is decided then, on what the servers say.");
  const how = wish === null ? "" : " Without --dry-run it is done.";
  lines.push("", `Nothing was changed.${how}`);
  return `${lines.join("\n").trimStart()}\n`;
}
