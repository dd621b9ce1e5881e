/** A server without room on its disk: a person is told, and nothing is done that would wait for room itself. */
import { expect, test } from "vitest";
import { settled, stepsOfKind } from "../../support/carry-out.ts";
import { placed, primaryFacts, server, written } from "../../support/situation.ts";
import { deciding, replica } from "./support.ts";

const before = settled(placed(3));
const AGAIN = "enlarge its volume or make room, the server looks again each minute.";

test("of the primary: writes wait, so it is not ready, and nobody else is made the primary", () => {
  const full = deciding(before, server(0, primaryFacts(3, { fullDiskMs: 1_000 })));
  expect(full.problems).toMatchObject([
    {
      code: "DiskFull",
      message: `The disk of mysql-0 is full and writes wait; ${AGAIN}`,
      ordinal: 0,
      blocks: false,
    },
  ]);
  expect(full.conditions.find(({ type }) => type === "Ready")).toMatchObject({
    status: "False",
    reason: "DiskFull",
  });
  expect(full.phase).toBe("Degraded");
  expect(stepsOfKind(full, "Record").every(({ state }) => state === null)).toBe(true);
});

test("of the primary, while commits wait for acknowledgements: none is added to free them", () => {
  const acks = { ...primaryFacts(3).acks, waiters: 1, waitingMs: 12_000 };
  const stalled = (fullDiskMs: number) =>
    stepsOfKind(deciding(before, server(0, primaryFacts(3, { fullDiskMs, acks }))), "Nudge");
  expect(stalled(12_000)).toEqual([]);
  expect(stalled(0)).toHaveLength(1);
});

test("of a replica", () => {
  const full = replica(2, { fullDiskMs: 1_000, executed: written(90), received: written(100) });
  const message = `The disk of mysql-2 is full and it does not replicate; ${AGAIN}`;
  expect(deciding(before, full).problems).toMatchObject([
    { code: "DiskFull", message, ordinal: 2, blocks: false },
  ]);
});
