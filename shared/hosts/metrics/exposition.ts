/**
 * Families of metrics as Prometheus reads them: the text format 0.0.4, or OpenMetrics 1.0 for whoever prefers it. They
 * differ in the type of what only tells facts, and in the line that ends the whole. Pure.
 */

export type Labels = Readonly<Record<string, string>>;

/** A value is finite; what is not known has no sample. */
export type Sample = readonly [labels: Labels, value: number];

export interface Family {
  readonly name: string;
  /** `info`: its labels are what it tells, its value is always 1. */
  readonly type: "gauge" | "info";
  /** One sentence for people who look for it. */
  readonly help: string;
}

export const FORMATS = {
  text: "text/plain; version=0.0.4; charset=utf-8",
  openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
} as const;
export type Format = keyof typeof FORMATS;

/** By the header `Accept`: OpenMetrics where it is named and not refused, as Prometheus does; else the text format. */
export function formatFor(accept = ""): Format {
  const named = accept
    .split(",")
    .find((one) => one.trim().toLowerCase().startsWith("application/openmetrics-text"));
  return named === undefined || /;\s*q=0(?:\.0*)?\s*(?:;|$)/i.test(named) ? "text" : "openMetrics";
}

const ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", '"': '\\"', "\n": "\\n" };

function escaped(text: string, what: RegExp): string {
  return text.replaceAll(what, (char) => ESCAPES[char] ?? char);
}

function labelled(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value, /[\\"\n]/g)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

/** The lines of one family; none where it has no sample. */
export function linesOf({ name, type, help }: Family, samples: readonly Sample[], format: Format): string {
  if (samples.length === 0) return "";
  const isInfo = type === "info" && format === "openMetrics";
  const family = isInfo ? name.replace(/_info$/, "") : name;
  const told = escaped(help, format === "openMetrics" ? /[\\"\n]/g : /[\\\n]/g);
  const head = `# HELP ${family} ${told}\n# TYPE ${family} ${isInfo ? "info" : "gauge"}\n`;
  return head + samples.map(([labels, value]) => `${name}${labelled(labels)} ${value}\n`).join("");
}

/** What comes after the last family. */
export function endOf(format: Format): string {
  return format === "openMetrics" ? "# EOF\n" : "";
}
