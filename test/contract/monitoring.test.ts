/**
 * What Prometheus itself says of our metrics and rules, by its own tool: the formats are right, every query can be read, and
 * each alert fires when it should and not just below. Two targets that tell the same are one alert.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findProgram } from "../../infra/local/packages.ts";
import { dashboardQueries, FOLDER, type Rule, readDashboard, readRules } from "../support/monitoring.ts";
import { exampleMetrics } from "../unit/metrics/support.ts";
import { type AlertCase, CASES, type SeriesValues, SHOP } from "./monitoring/cases.ts";

const promtool = findProgram("promtool");
const none = promtool === undefined;

describe.skipIf(none)(`monitoring${none ? " (skipped: there is no promtool)" : ""}`, () => {
  let folder: string;
  const rules = readRules();

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "ordinal-monitoring-"));
    copyFileSync(join(FOLDER, "rules.yaml"), join(folder, "rules.yaml"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Code and all that it said. */
  function run(args: readonly string[], input = ""): readonly [number | null, string] {
    const { status, stdout, stderr } = spawnSync(promtool ?? "", args, {
      cwd: folder,
      input,
      encoding: "utf8",
    });
    return [status, `${stdout}${stderr}`.trim()];
  }
  function write(name: string, value: unknown): string {
    writeFileSync(join(folder, name), typeof value === "string" ? value : JSON.stringify(value));
    return name;
  }

  test("the metrics of a fleet are without fault", async () => {
    expect(run(["check", "metrics"], await exampleMetrics())).toEqual([0, ""]);
    // It would tell.
    expect(run(["check", "metrics"], "ordinal_x_total 1\n")[0]).not.toBe(0);
  });

  test("the rules and the example of Prometheus' configuration are valid", () => {
    expect(run(["check", "rules", "rules.yaml"])).toEqual([
      0,
      expect.stringContaining(`${rules.length} rules found`),
    ]);
    copyFileSync(join(FOLDER, "prometheus.yaml"), join(folder, "prometheus.yaml"));
    expect(run(["check", "config", "--syntax-only", "prometheus.yaml"])[0]).toBe(0);
  });

  test("every query of the dashboard can be read", () => {
    const queries = dashboardQueries(readDashboard());
    const recording = (exprs: readonly string[]) => ({
      groups: [
        { name: "dashboard", rules: exprs.map((expr, at) => ({ record: `panel:query:${at}`, expr })) },
      ],
    });
    expect(run(["check", "rules", write("dashboard.yaml", recording(queries))])[0]).toBe(0);
    expect(run(["check", "rules", write("broken.yaml", recording(["max by (ordinal_epoch"]))])[0]).not.toBe(
      0,
    );
  });

  test("there is a case for every alert", () => {
    expect([...new Set(CASES.map(({ alert }) => alert))].toSorted()).toEqual(
      rules.map(({ alert }) => alert).toSorted(),
    );
  });

  /** As two targets tell it; a constant for as long as is needed. */
  function inputs(series: SeriesValues, minutes: number): readonly object[] {
    return Object.entries(series).flatMap(([name, value]) => {
      const values = typeof value === "string" ? value : `${value}+0x${minutes}`;
      const at = (instance: string) =>
        name.endsWith("}")
          ? name.replace(/\}$/, `,instance="${instance}"}`)
          : `${name}{instance="${instance}"}`;
      return ["a:443", "b:443"].map((instance) => ({ series: at(instance), values }));
    });
  }

  function said(text: string, { labels = SHOP, value = "" }: AlertCase): string {
    return text
      .replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, (_, label: string) => labels[label] ?? "?")
      .replaceAll(/\{\{ \$value[^}]*\}\}B?/g, value);
  }

  function expected(one: AlertCase, { labels, annotations }: Rule): object {
    return {
      exp_labels: { ...(one.labels ?? SHOP), ...labels },
      exp_annotations: {
        ...annotations,
        summary: said(annotations.summary, one),
        description: said(annotations.description, one),
      },
    };
  }

  test.each(CASES)("$alert fires at minute $firesAtMinute, not earlier, and not just below", (one) => {
    const { alert, series, firesAtMinute: minute, below } = one;
    const rule = rules.find((candidate) => candidate.alert === alert);
    if (rule === undefined) throw new Error(`there is no ${alert}`);
    const at = (eval_time: number, exp_alerts: readonly object[]) => ({
      ...{ eval_time: `${eval_time}m`, alertname: alert, exp_alerts },
    });
    const firing = {
      ...{ interval: "1m", input_series: inputs(series, minute + 1) },
      alert_rule_test: [at(minute - 1, []), at(minute, [expected(one, rule)])],
    };
    const calm = below.map((instead) => {
      const kept = Object.entries({ ...series, ...instead }).filter(([, value]) => value !== null);
      const input_series = inputs(Object.fromEntries(kept) as SeriesValues, minute + 1);
      return { interval: "1m", input_series, alert_rule_test: [at(minute, [])] };
    });
    // The rule alone: a day has 1,440 evaluations.
    const file = write(`${alert}-rule.yaml`, { groups: [{ name: "ordinal", rules: [rule] }] });
    const tests = { rule_files: [file], evaluation_interval: "1m", tests: [firing, ...calm] };
    expect(run(["test", "rules", write(`${alert}.yaml`, tests)])).toEqual([
      0,
      expect.stringContaining("SUCCESS"),
    ]);
    // Without what makes it fire the same test fails.
    const wrong = { ...tests, tests: [{ ...firing, alert_rule_test: [at(minute, [])] }] };
    expect(run(["test", "rules", write(`${alert}-wrong.yaml`, wrong)])[0]).not.toBe(0);
  });
});
