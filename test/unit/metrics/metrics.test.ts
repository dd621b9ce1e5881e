/** What `GET /metrics` says of a fleet, to whom, and in which form. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ANNOTATION, SET_ANNOTATIONS } from "../../../shared/annotations/keys.ts";
import { formatFor, linesOf } from "../../../shared/hosts/metrics/exposition.ts";
import { METRICS } from "../../../shared/hosts/metrics/families.ts";
import { fail } from "../../../shared/model/outcome.ts";
import { HOSTILE } from "../../support/hostile.ts";
import { openPlace, tokenOf } from "../http/support.ts";
import { exampleMetrics, populate, scrape } from "./support.ts";

const OPEN_METRICS = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5";
const LINE =
  /^(?:# (?:HELP|TYPE) ordinal_[a-z_]+ .+|ordinal_[a-z_]+(?:\{(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+\})? -?[\d.e+]+|)$/;

const seconds = (instant: string) => Date.parse(instant) / 1_000;

test("a fleet as it is recorded: states, members, backups and instants in seconds, never an age", async () => {
  const text = await exampleMetrics();
  const of = 'namespace="shop",cluster="mysql"';
  const lines = [
    `ordinal_cluster_state{${of},state="Degraded"} 1`,
    `ordinal_cluster_state{${of},state="Healthy"} 0`,
    `ordinal_problem{${of},code="ErrantTransactions",severity="warning"} 1`,
    `ordinal_problem{${of},code="NoSpareCopy",severity="normal"} 1`,
    `ordinal_epoch{${of}} 7`,
    `ordinal_primary_ready{${of}} 1`,
    `ordinal_failovers_last_day{${of}} 2`,
    `ordinal_last_failover_timestamp_seconds{${of}} ${seconds("2026-11-23T09:00:00Z")}`,
    `ordinal_members_wanted{${of}} 3`,
    `ordinal_members_ready{${of}} 2`,
    `ordinal_acknowledgements_wanted{${of}} 1`,
    `ordinal_members_acknowledging{${of}} 1`,
    `ordinal_errant_members{${of}} 1`,
    `ordinal_member_ready{${of},member="mysql-1",role="primary"} 1`,
    `ordinal_member_ready{${of},member="mysql-2",role="none"} 0`,
    `ordinal_replica_lag_seconds{${of},member="mysql-0"} 0.3`,
    `ordinal_replica_lag_seconds{${of},member="mysql-2"} 61`,
    `ordinal_last_backup_timestamp_seconds{${of}} ${seconds("2026-11-23T02:00:00Z")}`,
    // Of working days the longest pause is the week-end.
    `ordinal_backup_interval_seconds{${of}} ${3 * 86_400}`,
    `ordinal_backup_running{${of}} 0`,
    `ordinal_backup_failures{${of}} 2`,
    `ordinal_proof_wanted{${of}} 1`,
    `ordinal_last_proof_timestamp_seconds{${of}} ${seconds("2026-11-23T02:09:00Z")}`,
    `ordinal_archive_wanted{${of}} 1`,
    `ordinal_recoverable_from_timestamp_seconds{${of}} ${seconds("2026-11-21T00:00:00Z")}`,
    `ordinal_recoverable_until_timestamp_seconds{${of}} ${seconds("2026-11-23T09:59:00Z")}`,
    `ordinal_archive_gaps{${of}} 1`,
    `ordinal_archive_gap_seconds{${of}} 1.5`,
    `ordinal_observed_generation{${of}} 1`,
    `ordinal_last_look_timestamp_seconds{${of}} ${seconds("2026-11-23T09:59:55Z")}`,
    'ordinal_members_wanted{namespace="shop",cluster="new"} 1',
    'ordinal_archive_wanted{namespace="shop",cluster="new"} 0',
    "ordinal_annotations_budget_bytes 196608",
    "ordinal_clusters 2",
    `ordinal_build_info{version="from source",node="${process.version}",state_format="1"} 1`,
  ];
  expect(text.split("\n")).toEqual(expect.arrayContaining(lines));
  // Of one that no pass has seen nothing is made up.
  expect(text).not.toMatch(/ordinal_(?:epoch|primary_ready|last_backup\w+|problem)\{.*cluster="new"/);
  expect(text).not.toContain('cluster="plain"');
  for (const line of text.split("\n")) expect(line).toMatch(LINE);
});

test("every metric has its sample, its help and its type once, in one order", async () => {
  const text = await exampleMetrics();
  expect([...text.matchAll(/^# TYPE (\w+) gauge$/gm)].map(([, name]) => name)).toEqual(
    METRICS.map(({ name }) => name),
  );
  expect([...text.matchAll(/^# HELP (\w+) \S/gm)].map(([, name]) => name)).toEqual(
    METRICS.map(({ name }) => name),
  );
  expect(await exampleMetrics()).toBe(text);
  for (const { name, labels } of METRICS) {
    const [, shown = ""] = new RegExp(`^${name}(?:\\{(.*)\\})? `, "m").exec(text) ?? [];
    expect([name, [...shown.matchAll(/(\w+)="/g)].map(([, label]) => label)]).toEqual([name, labels]);
  }
});

test("OpenMetrics for who prefers it", async () => {
  const text = await exampleMetrics(OPEN_METRICS);
  expect(text).toMatch(/\n# TYPE ordinal_build info\nordinal_build_info\{.*\} 1\n# EOF\n$/);
  expect(formatFor(OPEN_METRICS)).toBe("openMetrics");
  for (const accept of ["", "*/*", "text/plain", "application/openmetrics-text;q=0", "application/json"])
    expect(formatFor(accept)).toBe("text");
});

test("labels and help are escaped", () => {
  const family = { name: "ordinal_x", type: "gauge", help: 'back\\slash\n"' } as const;
  expect(linesOf(family, [[{ a: 'q"\\\n' }, 1]], "text")).toBe(
    '# HELP ordinal_x back\\\\slash\\n"\n# TYPE ordinal_x gauge\nordinal_x{a="q\\"\\\\\\n"} 1\n',
  );
  expect(linesOf(family, [], "text")).toBe("");
});

test("a primary is not ready from the claim of the next epoch until another one is opened", async () => {
  const place = openPlace();
  populate(place);
  const uid = String((place.set()["metadata"] as { readonly uid: string }).uid);
  const primary = async (change: object) => {
    const recorded = JSON.parse(place.annotation(ANNOTATION.state) ?? "{}");
    place.annotate({ [ANNOTATION.state]: JSON.stringify({ ...recorded, clusterUid: uid, ...change }) });
    return /^ordinal_primary_ready\{.*\} (\d)$/m.exec(await scrape(place))?.[1];
  };
  expect(await primary({})).toBe("1");
  expect(await primary({ phase: "Revoking" })).toBe("0");
  const { established } = JSON.parse(place.annotation(ANNOTATION.state) ?? "{}");
  expect(await primary({ phase: "Establishing", pending: { ...established, open: false } })).toBe("0");
  expect(await primary({ phase: "Establishing", pending: { ...established, open: true } })).toBe("1");
  const down = { ...established, primary: { ordinal: 2, serverUuid: "uuid-2" } };
  expect(await primary({ phase: "Steady", pending: null, established: down })).toBe("0");
  expect(await primary({ phase: "Released", established: null })).toBeUndefined();
});

test("whatever stands in an annotation, every line can be read and no code is made up", async () => {
  const place = openPlace();
  populate(place);
  const known = new Set(labelsIn(await scrape(place)));
  const read = SET_ANNOTATIONS.filter(({ writer }) => writer === "controller").map(({ key }) => key);
  for (const key of [...read, ANNOTATION.engine, ANNOTATION.backupSchedule, ANNOTATION.archive]) {
    for (const { value } of HOSTILE.filter(({ value: text }) => text.length < 2_000)) {
      const before = place.annotation(key) ?? null;
      place.annotate({ [key]: value });
      place.nowMs += 1_000;
      const text = await scrape(place);
      for (const line of text.split("\n")) expect(line).toMatch(LINE);
      expect(labelsIn(text).filter((label) => !known.has(label) && !/^code="[A-Z]\w+"$/.test(label))).toEqual(
        [],
      );
      place.annotate({ [key]: before });
    }
  }
}, 60_000);

const labelsIn = (text: string): readonly string[] =>
  [...text.matchAll(/\w+="[^"]*"/g)].map(([label]) => label);

test("strangers are told nothing, not even which namespaces there are", async () => {
  const place = openPlace();
  populate(place);
  const send = (token: string | null) => place.send("GET", "/metrics", { token });
  expect((await send(null)).status).toBe(401);
  expect((await send("x.y.z")).status).toBe(401);
  for (const who of ["nobody", "reader", "admin"]) {
    const refused = await send(tokenOf(who));
    expect([refused.status, refused.text]).toEqual([
      403,
      expect.stringContaining("may not list statefulsets"),
    ]);
    expect(refused.text).not.toMatch(/shop|mysql/);
  }
  expect((await send(tokenOf("scraper"))).status).toBe(200);
  // Nor that there is nothing at all.
  const empty = openPlace();
  empty.annotate({ [ANNOTATION.engine]: null });
  expect((await empty.send("GET", "/metrics", { token: tokenOf("reader") })).status).toBe(403);
  expect(await scrape(empty)).toContain("ordinal_clusters 0\n");
  expect((await place.send("GET", "/metrics?x=1", { token: tokenOf("scraper") })).status).toBe(400);
});

test("where namespaces are named, the right is asked for in each of them before anything is read", async () => {
  const place = openPlace(undefined, { namespaces: ["shop", "other"] });
  place.accessReview = fail("refused", "forbidden", { code: 403 });
  place.sim.setFaults(() => {
    throw new Error("nothing is to be read");
  });
  const refused = await place.send("GET", "/metrics", { token: tokenOf("scraper") });
  expect([refused.status, refused.body["detail"]]).toEqual([403, expect.stringContaining("namespace shop")]);
  const fine = openPlace(undefined, { namespaces: ["shop"] });
  populate(fine);
  expect(await scrape(fine)).toContain("ordinal_clusters 2\n");
});

test.each(["StatefulSet", "Pod"])(
  "half a fleet is no fleet: a list of %s that fails is 503",
  async (kind) => {
    const place = openPlace();
    populate(place);
    const failure = { kind: "transient", message: "The API server did not answer" } as const;
    place.sim.setFaults((call) => (call.kind === kind ? { before: failure } : {}));
    expect((await place.send("GET", "/metrics", { token: tokenOf("scraper") })).status).toBe(503);
  },
);

test("docs/metrics.md has a row for each metric, and no other", () => {
  const page = readFileSync(new URL("../../../docs/metrics.md", import.meta.url), "utf8");
  const rows = page
    .split("\n")
    .filter((line) => line.startsWith("| `ordinal_"))
    .map((line) => line.replaceAll(/ +/g, " "));
  const wanted = METRICS.map(({ name, labels, help }) => {
    const own = labels.filter((label) => label !== "namespace" && label !== "cluster");
    const of = own.length < labels.length ? ["of a cluster"] : [];
    const shown = [...of, ...own.map((label) => `\`${label}\``)].join(", ") || "–";
    return `| \`${name}\` | ${shown} | ${help} |`;
  });
  expect(rows).toEqual(wanted);
});
