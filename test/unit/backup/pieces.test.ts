/** The small parts of the pipeline: probe, leftovers, patience, meter, and other programs as sources. */
import { describe, expect, test } from "vitest";
import { abortUploads } from "../../../shared/backup/leftovers.ts";
import { createMeter, type Progress } from "../../../shared/backup/meter.ts";
import { reach } from "../../../shared/backup/mysql/scratch.ts";
import { patiently } from "../../../shared/backup/patience.ts";
import { probeConditions } from "../../../shared/backup/probe.ts";
import { outputOf } from "../../../shared/backup/program.ts";
import { type Failure, fail, succeed } from "../../../shared/model/outcome.ts";
import type { Server } from "../../../shared/ports/server.ts";
import { SOURCE } from "../../support/job-work.ts";
import { createMemoryStore } from "../../support/memory-store.ts";
import { collect, failureIn, failureOf, patienceOf } from "../../support/streams.ts";

const busy: Failure = { kind: "transient", message: "busy" };

describe("probe of conditional writes", () => {
  test("a store that keeps to them is known by it, the second time with one request", async () => {
    let puts = 0;
    const store = createMemoryStore({
      fault: ({ verb }) => {
        puts += verb === "put" ? 1 : 0;
        return null;
      },
    });
    expect(await probeConditions(store, "probe")).toEqual(succeed(true));
    expect(await probeConditions(store, "probe")).toEqual(succeed(true));
    expect(puts).toBe(3);
  });

  test("one that does not is known by it every time", async () => {
    const store = createMemoryStore({ ignoresConditions: true });
    expect(await probeConditions(store, "probe")).toEqual(succeed(false));
    expect(await probeConditions(store, "probe")).toEqual(succeed(false));
  });

  test("what could not be asked is no answer", async () => {
    for (const nth of [0, 1]) {
      const store = createMemoryStore({
        fault: (call) => (call.nth === nth ? { when: "before", failure: busy } : null),
      });
      expect(await probeConditions(store, "probe")).toEqual({ ok: false, failure: busy });
    }
  });
});

test("uploads that were left are aborted, those of others and those at work are not", async () => {
  const store = createMemoryStore();
  for (const key of ["a/old/1", "a/old/2", "a/new/1", "b/old/1"]) await store.begin(key);
  expect(await abortUploads(store, "a/", (key) => key.includes("/old/"))).toEqual(succeed(2));
  const open = await store.uploads("");
  expect(open.ok && open.value.map(({ key }) => key)).toEqual(["a/new/1", "b/old/1"]);
});

describe("patience", () => {
  test("pauses double, are partly random, and end", async () => {
    const pauses: number[] = [];
    const patience = { ...patienceOf(9, pauses), ids: { password: () => "", fraction: () => 0.5 } };
    expect(await failureIn(() => patiently(patience, async () => ({ ok: false, failure: busy })))).toEqual(
      busy,
    );
    expect(pauses).toEqual([750, 1_500, 3_000, 6_000, 12_000, 24_000, 45_000, 45_000]);
  });

  test("what a store asks for is kept to, but not for ever; what cannot change is not asked again", async () => {
    const pauses: number[] = [];
    const answers = [
      fail("transient", "wait", { retryAfterMs: 7_000 }),
      fail("transient", "wait", { retryAfterMs: 3_600_000 }),
      succeed("done"),
    ];
    const work = async () => answers.shift() ?? fail("refused", "asked too often");
    expect(await patiently(patienceOf(9, pauses), work)).toBe("done");
    expect(pauses).toEqual([7_000, 60_000]);
    expect((await failureIn(() => patiently(patienceOf(9, pauses), work))).kind).toBe("refused");
    expect(pauses).toHaveLength(2);
  });
});

test("progress is told once a second, with a rate that follows", () => {
  let now = 0;
  const told: Progress[] = [];
  const meter = createMeter({ now: () => now, sleep: () => Promise.resolve() }, (one) => told.push(one));
  // A server is started first, and that is not the pace of the stream.
  now += 20_000;
  meter.add(0);
  for (let second = 0; second < 60; second += 1) {
    for (let step = 0; step < 10; step += 1) {
      now += 100;
      meter.add(second < 30 ? 1_000 : 2_000);
    }
  }
  expect(told).toHaveLength(60);
  expect(told[0]).toEqual({ bytes: 10_000, bytesPerSecond: 10_000 });
  expect(told[31]?.bytesPerSecond).toBeGreaterThan(10_500);
  expect(told[31]?.bytesPerSecond).toBeLessThan(14_000);
  expect(told[59]?.bytesPerSecond).toBeGreaterThan(18_000);
  expect(meter.current()).toEqual({ bytes: 900_000, bytesPerSecond: told[59]?.bytesPerSecond });
});

describe("programs", () => {
  const node = (script: string, endMark: string | null = null) =>
    outputOf({ program: process.execPath, args: ["-e", script], env: {}, endMark });

  test("all that a program prints, and nothing of our environment goes to it", async () => {
    process.env["ORDINAL_TEST_SECRET"] = "s3cr3t";
    const printed = await collect(
      node('process.stdout.write("x".repeat(1e6) + JSON.stringify(process.env))'),
    );
    delete process.env["ORDINAL_TEST_SECRET"];
    expect(printed.toString()).toMatch(/^x{1000000}\{/);
    expect(printed.includes("s3cr3t")).toBe(false);
  });

  test("a program that fails makes the stream fail, with the end of its complaint", async () => {
    const failure = await failureOf(
      node('process.stdout.write("half"); console.error("lost connection"); process.exitCode = 2'),
    );
    expect(failure.kind).toBe("transient");
    expect(failure.message).toBe(`${process.execPath} ended with 2: lost connection`);
    expect((await failureOf(node('process.kill(process.pid, "SIGKILL")'))).message).toContain(
      "ended with SIGKILL",
    );
  });

  test("a program that is not there is told of", async () => {
    const missing = outputOf({ program: "/no/such/program", args: [], env: {}, endMark: null });
    expect((await failureOf(missing)).message).toContain("could not be started");
  });

  test("an output without its end mark is not complete, whatever the exit code", async () => {
    const mark = "-- Dump completed";
    expect(
      (await collect(node(`process.stdout.write("rows\\n${mark} on 2026-11-27\\n")`, mark))).length,
    ).toBe(37);
    const failure = await failureOf(node('process.stdout.write("rows")', mark));
    expect(failure.message).toContain("without saying that its output is complete");
    const early = `process.stdout.write("${mark}" + "x".repeat(5000))`;
    expect((await failureOf(node(early, mark))).message).toContain("without saying");
  });

  test("a program is ended when its output is left early", async () => {
    const script =
      'process.stdout.write(String(process.pid) + "\\n"); setInterval(() => process.stdout.write("x".repeat(1e5)), 1)';
    let pid = 0;
    for await (const chunk of node(script)) {
      pid = Number.parseInt(Buffer.from(chunk).toString(), 10);
      break;
    }
    await expect
      .poll(() => {
        try {
          return process.kill(pid, 0);
        } catch {
          return false;
        }
      })
      .toBe(false);
  });
});

describe("the first connection to the source", () => {
  const server = {} as Server;
  const reaching = (failures: readonly Failure[], tries = 5) => {
    const left = [...failures];
    const connect = () => {
      const failure = left.shift();
      return Promise.resolve(failure === undefined ? succeed(server) : { ok: false as const, failure });
    };
    const places = { folder: "/nowhere", disk: "/nowhere", path: "" };
    const tells = { onCopying: () => undefined, onLooking: () => undefined };
    return reach({ ...places, ...tells, servers: { connect }, patience: patienceOf(tries) }, SOURCE);
  };
  const unknown: Failure = { kind: "transient", message: "mysql-1 is not known" };

  test("is tried again while nobody answers or its name is not known, and not for ever", async () => {
    expect(await reaching([unknown, unknown, unknown])).toBe(server);
    expect(await failureIn(() => reaching(Array.from({ length: 9 }, () => unknown)))).toBe(unknown);
  });

  test("is not tried again where it is refused", async () => {
    const refused: Failure = { kind: "refused", message: "access denied" };
    expect(await failureIn(() => reaching([refused]))).toBe(refused);
  });
});
