/** A table as kubectl prints it: columns as wide as they need be, two spaces between, no lines. Pure. */
import type { Tone } from "../model/summary.ts";

export interface Cell {
  readonly text: string;
  readonly tone?: Tone;
}

/** Colours help the eye and carry nothing that the words do not say. */
export type Paint = (text: string, tone: Tone | undefined) => string;

const CODES: Readonly<Record<Tone, number>> = { good: 32, attention: 33, bad: 31 };

export const plain: Paint = (text) => text;
export const coloured: Paint = (text, tone) =>
  tone === undefined ? text : `\u001B[${CODES[tone]}m${text}\u001B[0m`;

const width = (text: string): number => text.length;

/** Every row has as many cells as there are titles. The last column is not padded. */
export function table(titles: readonly string[], rows: readonly (readonly Cell[])[], paint: Paint): string {
  const all = [titles.map((text): Cell => ({ text })), ...rows];
  const widths = titles.map((_, column) => Math.max(...all.map((row) => width(row[column]?.text ?? ""))));
  const lines = all.map((row) =>
    row
      .map(({ text, tone }, column) => {
        const gap = column === row.length - 1 ? 0 : (widths[column] ?? 0) - width(text) + 2;
        return paint(text, tone) + " ".repeat(gap);
      })
      .join("")
      .trimEnd(),
  );
  return `${lines.join("\n")}\n`;
}
