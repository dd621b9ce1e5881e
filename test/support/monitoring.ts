/** What we ship for Prometheus and Grafana, read strictly. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import * as z from "zod";

export const FOLDER: string = join(import.meta.dirname, "../../infra/monitoring");

const ruleSchema = z.strictObject({
  alert: z.string().regex(/^Ordinal[A-Z]\w+$/),
  expr: z.string(),
  for: z
    .string()
    .regex(/^\d+[mhd]$/)
    .optional(),
  labels: z.strictObject({ severity: z.enum(["critical", "warning"]) }),
  annotations: z.strictObject({
    summary: z.string().regex(/^.*\S\.$/),
    description: z.string().regex(/^.*\S\.$/),
    runbook_url: z.string().regex(/^docs\/runbooks\/[a-z-]+\.md$/),
  }),
});
const rulesSchema = z.strictObject({
  groups: z.tuple([z.strictObject({ name: z.literal("ordinal"), rules: z.array(ruleSchema).min(1) })]),
});
export type Rule = z.infer<typeof ruleSchema>;

const read = (name: string): string => readFileSync(join(FOLDER, name), "utf8");

export function readRules(): readonly Rule[] {
  return rulesSchema.parse(parse(read("rules.yaml"))).groups[0].rules;
}

const position = z.strictObject({
  x: z.int().min(0).max(23),
  y: z.int().min(0),
  w: z.int().min(1).max(24),
  h: z.int().min(1),
});
// biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of Grafana.
const source = z.strictObject({ type: z.literal("prometheus"), uid: z.literal("${datasource}") });
const panelSchema = z.looseObject({
  id: z.int().min(1),
  type: z.enum(["row", "stat", "table", "timeseries", "state-timeline"]),
  title: z.string().min(1),
  gridPos: position,
  description: z.string().endsWith(".").optional(),
  targets: z
    .array(
      z.looseObject({ datasource: source, expr: z.string(), refId: z.string(), legendFormat: z.string() }),
    )
    .default([]),
});
const variableSchema = z.looseObject({
  name: z.enum(["datasource", "namespace", "cluster"]),
  type: z.enum(["datasource", "query"]),
  definition: z.string().optional(),
});
const dashboardSchema = z.looseObject({
  uid: z.literal("ordinal"),
  title: z.string(),
  schemaVersion: z.int().min(36),
  templating: z.strictObject({ list: z.array(variableSchema) }),
  panels: z.array(panelSchema).min(1),
});
export type Dashboard = z.infer<typeof dashboardSchema>;

export function readDashboard(): Dashboard {
  return dashboardSchema.parse(JSON.parse(read("dashboard.json")));
}

/** Of its panels, as Prometheus gets them when one namespace and all clusters are chosen. */
export function dashboardQueries({ panels }: Dashboard): readonly string[] {
  return panels
    .flatMap(({ targets }) => targets)
    .map(({ expr }) => expr.replaceAll("$namespace", "shop").replaceAll("$cluster", ".*"));
}
