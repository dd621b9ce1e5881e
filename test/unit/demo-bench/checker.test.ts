/** The writer and the checker that demo, benches and end-to-end tests rely on: a checker that sees nothing proves nothing. */
import { expect, test } from "vitest";
import { spreadOf } from "../../support/figures.ts";
import { judge } from "../../support/ledger.ts";
import { failedWrites, outcomeOf, startWorkload } from "../../support/workload.ts";
import { type Answer, openScriptedServer } from "./scripted-server.ts";

const books = { acked: [1, 2, 3], refused: [4], unknown: [5, 6] };

test("a complete set has no lost writes, ghosts or strangers", () => {
  const verdict = judge(books, new Set([1, 2, 3, 5]));
  expect(verdict).toEqual({
    acked: 3,
    lost: [],
    ghosts: [],
    strangers: [],
    unknownThere: 1,
    unknownAbsent: 1,
  });
});

test("a lost write, a ghost and a stranger are each told by name", () => {
  const verdict = judge(books, new Set([1, 3, 4, 9]));
  expect(verdict).toMatchObject({
    lost: [2],
    ghosts: [4],
    strangers: [9],
    unknownThere: 0,
    unknownAbsent: 2,
  });
});

test("only an error that the server raises before it does anything is a refusal", () => {
  expect(outcomeOf(Object.assign(new Error("read-only"), { errno: 1290 }))).toBe("refused");
  expect(outcomeOf(Object.assign(new Error("shutting down"), { errno: 1053 }))).toBe("unknown");
  expect(outcomeOf(Object.assign(new Error("reset"), { code: "ECONNRESET" }))).toBe("unknown");
  expect(outcomeOf("anything")).toBe("unknown");
});

test("percentiles are measured values, by nearest rank", () => {
  const samples = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect(spreadOf(samples)).toEqual({ p50: 50, p95: 95, p99: 99, worst: 100 });
  expect(spreadOf([7.4])).toEqual({ p50: 7, p95: 7, p99: 7, worst: 7 });
  expect(spreadOf([])).toBeNull();
});

async function writeTo(answers: (id: number) => Answer, enough: number) {
  const server = await openScriptedServer(answers);
  const workload = startWorkload({
    ...{ user: "root", password: "", port: server.port, locate: async () => "127.0.0.1" },
    ...{ writers: 2, perSecond: 500, secondsMax: 4, timeoutMs: 1_000 },
  });
  await expect.poll(() => workload.progress().acked, { timeout: 4_000 }).toBeGreaterThanOrEqual(enough);
  const ledger = await workload.stop();
  await server.close();
  return { ledger, received: server.received };
}

test("each value is tried once and lands in the book of its outcome", async () => {
  const answers = (id: number): Answer => (id === 6 ? "refuse" : id === 7 ? "hang up" : "accept");
  const { ledger, received } = await writeTo(answers, 20);
  expect(ledger.refused).toEqual([6]);
  expect(ledger.unknown).toEqual([7]);
  expect(new Set(received).size).toBe(received.length);
  expect([...ledger.acked, 6, 7].toSorted((a, b) => a - b)).toEqual(received.toSorted((a, b) => a - b));
  expect(ledger.latenciesMs).toHaveLength(ledger.acked.length);
  expect(failedWrites(ledger)).toBe(2);
  expect(ledger.failures).toMatchObject({ ER_OPTION_PREVENTS_STATEMENT: 1 });
});

test("a server that cannot be reached counts as failed and is tried again", async () => {
  const asked: number[] = [];
  const server = await openScriptedServer(() => "accept");
  await server.close();
  const workload = startWorkload({
    ...{
      user: "root",
      password: "",
      port: server.port,
      writers: 1,
      perSecond: 100,
      secondsMax: 4,
      timeoutMs: 500,
    },
    locate: async () => {
      asked.push(1);
      return "127.0.0.1";
    },
  });
  await expect.poll(() => asked.length, { timeout: 4_000 }).toBeGreaterThan(2);
  const ledger = await workload.stop();
  expect(ledger.acked).toEqual([]);
  expect(failedWrites(ledger)).toBe(ledger.connectionsFailed);
  expect(ledger.failures["ECONNREFUSED"]).toBeGreaterThan(2);
});
