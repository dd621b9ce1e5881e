/** Alerts, runbooks, the dashboard and the pages about them name one another and nothing that there is not. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { METRICS } from "../../../shared/hosts/metrics/families.ts";
import { isProblemCode, PHASES } from "../../../shared/model/condition.ts";
import { dashboardQueries, FOLDER, readDashboard, readRules } from "../../support/monitoring.ts";

const DOCS = join(import.meta.dirname, "../../../docs");
const page = (name: string): string => readFileSync(join(DOCS, name), "utf8");
const rules = readRules();
const names = METRICS.map(({ name }) => name);

const dashboard = readDashboard();
const queries = [
  ...rules.map(({ expr }) => expr),
  ...dashboardQueries(dashboard),
  ...dashboard.templating.list.map(({ definition = "" }) => definition),
];

/** Names of metrics, without what stands in quotes. */
const metricsIn = (query: string): readonly string[] =>
  query.replaceAll(/"[^"]*"/g, "").match(/\bordinal_\w+/g) ?? [];

test("queries name metrics that there are, and every metric is looked at by one, but for those that only tell", () => {
  expect(queries.flatMap(metricsIn).filter((name) => !names.includes(name))).toEqual([]);
  const used = new Set(queries.flatMap(metricsIn));
  expect(names.filter((name) => !used.has(name))).toEqual([
    "ordinal_last_failover_timestamp_seconds",
    "ordinal_backup_running",
    "ordinal_backup_failures",
    "ordinal_archive_gaps",
    "ordinal_build_info",
  ]);
});

test("queries ask for labels, states and codes that there are", () => {
  for (const query of queries) {
    for (const [, metric = "", matchers = ""] of query.matchAll(/(ordinal_\w+)\{([^}]*)\}/g)) {
      const labels = METRICS.find(({ name }) => name === metric)?.labels ?? [];
      for (const [, label = "", value = ""] of matchers.matchAll(/(\w+)(?:=|!=|=~|!~)"([^"]*)"/g)) {
        expect([query, labels]).toEqual([query, expect.arrayContaining([label])]);
        if (label === "state") expect(PHASES).toContain(value);
        if (label === "code") expect(value.split("|").filter((code) => !isProblemCode(code))).toEqual([]);
      }
    }
  }
});

test("each alert has a runbook with all that is asked at night, and there is no other one", () => {
  const files = rules.map(({ annotations }) => annotations.runbook_url.replace("docs/runbooks/", ""));
  expect(readdirSync(join(DOCS, "runbooks")).toSorted()).toEqual([...new Set(files)].toSorted());
  for (const { alert, annotations } of rules) {
    const text = page(annotations.runbook_url.replace("docs/", ""));
    expect(text).toContain(`\`${alert}\``);
    expect([...text.matchAll(/^## (.+)$/gm)].map(([, title]) => title)).toEqual([
      "What it means",
      "What Ordinal does",
      "What to look at",
      "What to do",
    ]);
    expect(text).toMatch(/`kubectl ordinal \w+/);
  }
});

test("commands and annotations of runbooks are those that there are", () => {
  const commands = new Set([...page("cli.md").matchAll(/^kubectl ordinal (\w+)/gm)].map(([, verb]) => verb));
  const keys = page("annotations.md");
  for (const file of readdirSync(join(DOCS, "runbooks"))) {
    const text = page(`runbooks/${file}`);
    for (const [command, verb] of text.matchAll(/kubectl ordinal (\w+)/g))
      expect([file, command, commands.has(verb)]).toEqual([file, command, true]);
    for (const [key] of text.matchAll(/ordinal\.dev\/[a-z-]+/g)) expect(keys).toContain(`\`${key}\``);
  }
});

test("docs/monitoring.md has a row for each alert, and no other", () => {
  const rows = page("monitoring.md")
    .split("\n")
    .filter((line) => line.startsWith("| [`Ordinal"))
    .map((line) => line.replaceAll(/ +/g, " ").split(" | ").slice(0, 3));
  const wanted = rules.map(({ alert, labels, for: after = "at once", annotations }) => [
    `| [\`${alert}\`](${annotations.runbook_url.replace("docs/", "")})`,
    labels.severity,
    after,
  ]);
  expect(rows).toEqual(wanted);
});

test("sentences name the cluster that they are about", () => {
  for (const { alert, annotations } of rules) {
    const named = /\{\{ \$labels\.namespace \}\}\/\{\{ \$labels\.cluster \}\}/;
    if (alert !== "OrdinalSilent") {
      expect(annotations.summary).toMatch(named);
      expect(annotations.description).toMatch(named);
    }
  }
});

test("the head of the PrometheusRule and the rules under it are one object", () => {
  const head = readFileSync(join(FOLDER, "prometheus-rule.yaml"), "utf8");
  const body = readFileSync(join(FOLDER, "rules.yaml"), "utf8").replaceAll(/^/gm, "  ");
  const { apiVersion, kind, spec } = parse(head + body);
  expect([apiVersion, kind]).toEqual(["monitoring.coreos.com/v1", "PrometheusRule"]);
  expect(spec.groups[0].rules).toEqual(rules);
});

test("panels of the dashboard have places of their own", () => {
  const { panels } = dashboard;
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  for (const [index, { gridPos: one }] of panels.entries()) {
    expect(one.x + one.w).toBeLessThanOrEqual(24);
    for (const { gridPos: other } of panels.slice(index + 1)) {
      const apart =
        one.x + one.w <= other.x ||
        other.x + other.w <= one.x ||
        one.y + one.h <= other.y ||
        other.y + other.h <= one.y;
      expect([one, other, apart]).toEqual([one, other, true]);
    }
  }
  for (const { type, description, targets } of panels)
    expect([type, description !== undefined, targets.length > 0]).toEqual([
      type,
      type !== "row",
      type !== "row",
    ]);
});
