/** The log of a Job is followed by kubectl: here by a program of that name that does what a test says. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { followLogs, type JobLogs, lastProgress, showLog } from "../../../shared/cli/job-log.ts";

const JOB = { namespace: "shop", name: "mysql-backup-20261123020000-1" };
const WAIT = { timeout: 10_000, interval: 20 };

let folder = "";
let path: string | undefined;
let logs: JobLogs | null = null;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ordinal-logs-"));
  path = process.env["PATH"];
  process.env["PATH"] = [folder, dirname(process.execPath)].join(delimiter);
});
afterEach(() => {
  logs?.close();
  logs = null;
  process.env["PATH"] = path;
  rmSync(folder, { recursive: true });
});

function kubectl(script: string): void {
  writeFileSync(join(folder, "kubectl"), `#!${process.execPath}\n${script}\n`);
  chmodSync(join(folder, "kubectl"), 0o755);
}

const line = (bytes: number): string =>
  `{"at":"2026-11-23T02:00:00.000Z","message":"progress","bytes":${bytes},"bytesPerSecond":1,"bytesExpected":null,"secondsLeft":null}`;
const expectBytes = (of: JobLogs, job: typeof JOB, bytes: number) =>
  vi.waitFor(() => expect(of.progressOf(job)?.bytes).toBe(bytes), WAIT);

test("the last progress is known, by one process that ends with it", async () => {
  const pids = join(folder, "pids");
  kubectl(`
    require("node:fs").appendFileSync(${JSON.stringify(pids)}, process.pid + " " + process.argv.slice(2).join(" ") + "\\n");
    console.log(${JSON.stringify(line(1))});
    console.log("not a line of ours");
    console.log(${JSON.stringify(line(2))});
    setInterval(() => {}, 1000);`);
  logs = followLogs(["--context", "there"], () => 0);
  expect(logs.progressOf(JOB)).toBeNull();
  await expectBytes(logs, JOB, 2);
  logs.close();
  const [said = "", ...more] = readFileSync(pids, "utf8").trim().split("\n");
  expect(more).toEqual([]);
  const [pid = "", ...args] = said.split(" ");
  expect(args.join(" ")).toBe(
    "logs job/mysql-backup-20261123020000-1 --container job --namespace shop --follow --tail 20 --context there",
  );
  await vi.waitFor(() => expect(existsSync(`/proc/${pid}`)).toBe(false), WAIT);
});

test("one that ended is begun anew after a while, and what was known stays known", async () => {
  const times = join(folder, "times");
  kubectl(`
    const fs = require("node:fs");
    fs.appendFileSync(${JSON.stringify(times)}, ".");
    if (fs.readFileSync(${JSON.stringify(times)}, "utf8").length === 1) console.log(${JSON.stringify(line(7))});`);
  let nowMs = 0;
  logs = followLogs([], () => nowMs);
  await expectBytes(logs, JOB, 7);
  const begun = () => readFileSync(times, "utf8").length;
  nowMs = 2_999;
  expect([logs.progressOf(JOB)?.bytes, begun()]).toEqual([7, 1]);
  await vi.waitFor(() => {
    nowMs += 3_000;
    expect([logs?.progressOf(JOB)?.bytes, begun() > 1]).toEqual([7, true]);
  }, WAIT);
});

test("another Job is another log", async () => {
  kubectl(`
    console.log(process.argv[3].endsWith("-1") ? ${JSON.stringify(line(1))} : ${JSON.stringify(line(2))});
    setInterval(() => {}, 1000);`);
  logs = followLogs([], () => 0);
  await expectBytes(logs, JOB, 1);
  const next = { ...JOB, name: "mysql-backup-20261123020000-2" };
  expect(logs.progressOf(next)).toBeNull();
  await expectBytes(logs, next, 2);
});

test("the last progress is looked at once, with what it moved since the line before", async () => {
  const copying = (second: number, bytes: number) =>
    `{"at":"2026-11-23T02:00:0${second}.000Z","message":"copying","bytes":${bytes},"bytesExpected":900}`;
  kubectl(`
    if (process.argv.slice(2).join(" ") !== "logs job/${JOB.name} --container job --namespace shop --tail 20 --context there") process.exit(1);
    console.log([${JSON.stringify(copying(1, 100))}, ${JSON.stringify(copying(6, 600))}, "no line of ours"].join("\\n"));`);
  expect(await lastProgress(["--context", "there"], JOB)).toMatchObject({ bytes: 600, bytesPerSecond: 100 });
});

test.each([
  ["that says nothing yet", ""],
  ["that may not read it", "console.error('Forbidden'); process.exit(1)"],
])("a kubectl %s is no progress", async (_, script) => {
  kubectl(script);
  expect(await lastProgress([], JOB)).toBeNull();
});

test("whoever has no kubectl sees no progress at once", async () => {
  expect(await lastProgress([], JOB)).toBeNull();
});

test("whoever has no kubectl sees nothing, and it goes on", async () => {
  logs = followLogs([], () => 0);
  expect(logs.progressOf(JOB)).toBeNull();
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(logs.progressOf(JOB)).toBeNull();
});

test.each<[string, string, object]>([
  ["that ends well", "process.exit(process.argv.includes('--follow') ? 0 : 4)", { ok: true }],
  ["that fails", "process.exit(3)", { ok: false, failure: { message: "kubectl logs ended with 3." } }],
])("a log is shown by a kubectl %s", async (_, script, outcome) => {
  kubectl(script);
  expect(await showLog([], JOB, true)).toMatchObject(outcome);
});

test("without a kubectl no log is shown", async () => {
  expect(await showLog([], JOB, false)).toMatchObject({ ok: false, failure: { kind: "transient" } });
});
