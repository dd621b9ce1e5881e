/** Who may be copied over (INV-9), and which failures of a copy pass by themselves. */
import { describe, expect, test } from "vitest";
import { seed } from "../../../shared/engines/mysql/seed.ts";
import type { Failure } from "../../../shared/model/outcome.ts";
import type { Peer } from "../../../shared/ports/engine.ts";
import type { Row } from "../../../shared/ports/server.ts";
import { type Answer, failingAt, row, scripted } from "./scripted.ts";

const donor: Peer = {
  host: "mysql-0.mysql",
  port: 3306,
  account: { username: "ordinal_repl_1", password: "R".repeat(32) },
};
const COPYING = [
  "SET GLOBAL read_only = ON",
  "SET GLOBAL super_read_only = OFF",
  "SET GLOBAL clone_valid_donor_list = 'mysql-0.mysql:3306'",
  `CLONE INSTANCE FROM 'ordinal_repl_1'@'mysql-0.mysql':3306 IDENTIFIED BY '${"R".repeat(32)}' REQUIRE SSL`,
];

function holding(...rows: readonly Row[]): Answer {
  return (sql) => (sql.includes("AS kind") ? rows : null);
}

test("an empty server is copied over, closed to applications, within a limit", async () => {
  const { server, told, timeoutsMs } = scripted([]);
  expect(await seed(server, donor, 60_000, null)).toEqual({ ok: true, value: null });
  expect(told.slice(1)).toEqual(COPYING);
  expect(timeoutsMs.at(-1)).toBe(60_000);
});

describe("without being told what is covered, it is not copied over", () => {
  test.each<[string, readonly Row[], string, string]>([
    [
      "a copy is under way",
      [
        { kind: "r", name: "In Progress" },
        { kind: "o", name: "ordinal" },
      ],
      "transient",
      "under way",
    ],
    ["it was part of a cluster", [{ kind: "o", name: "ordinal" }], "conflict", "seeded before"],
    [
      "it holds data",
      ["a", "b", "c", "d", "e", "f"].map((name) => ({ kind: "d", name })),
      "conflict",
      "in a, b, c, d, e",
    ],
  ])("when %s", async (_, rows, kind, words) => {
    const { server, told } = scripted([holding(...rows)]);
    const refused = await seed(server, donor, 60_000, null);
    expect(refused).toMatchObject({ failure: { kind, message: expect.stringContaining(words) } });
    expect(refused).not.toMatchObject({ failure: { message: expect.stringContaining("f,") } });
    expect(told).toHaveLength(1);
  });
});

describe("with what is covered", () => {
  const covered = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-9";
  const harmless: Row = { covered: "1", closed: "1", waiters: "0" };

  test.each<[string, Row]>([
    ["covered, closed and waited on by nobody", harmless],
    ["without the plugin that counts who waits", { ...harmless, waiters: null }],
  ])("it is copied over: %s", async (_, state) => {
    const { server, told, values } = scripted([row("AS covered", state)]);
    expect(await seed(server, donor, 60_000, covered)).toEqual({ ok: true, value: null });
    expect(values[0]).toEqual([covered]);
    expect(told.slice(1)).toEqual(COPYING);
  });

  test.each<[string, Row, string]>([
    ["takes writes", { closed: "0" }, "still takes writes"],
    ["has commits that wait", { waiters: "1" }, "commits wait"],
    ["holds more", { covered: "0" }, "nobody else has"],
  ])("it is left alone when it %s", async (_, more, words) => {
    const { server, told } = scripted([row("AS covered", { ...harmless, ...more })]);
    expect(await seed(server, donor, 60_000, covered)).toMatchObject({
      failure: { kind: "conflict", message: expect.stringContaining(words) },
    });
    expect(told).toHaveLength(1);
  });
});

describe("a copy that fails", () => {
  const failing = (more: Partial<Failure>) =>
    seed(
      scripted([failingAt(4, { kind: "refused", message: "the server's words", ...more })]).server,
      donor,
      60_000,
      null,
    );

  test("without an answer is looked at again", async () => {
    expect(await failing({ kind: "transient" })).toMatchObject({
      failure: { kind: "transient", message: expect.stringContaining("looked at again") },
    });
  });

  test.each([3634, 1040, 2000, 2003, 2999].map((cause) => [cause]))(
    "at the donor with %s is tried again in a while",
    async (cause) => {
      const message = `Clone Donor Error: ${cause} : the donor's words`;
      expect(await failing({ code: 3862, message })).toMatchObject({
        failure: { kind: "transient", retryAfterMs: 5_000, message },
      });
      // The same words of another error say nothing of the donor.
      expect(await failing({ code: 1105, message })).toMatchObject({ failure: { kind: "refused" } });
    },
  );

  test("beside another copy is tried again in a while", async () => {
    expect(await failing({ code: 3634 })).toMatchObject({
      failure: { kind: "transient", retryAfterMs: 5_000 },
    });
  });

  test.each(["Error: 1045", "Error: 1999", "Error: 3000", "Error: x", "no number"])(
    "at the donor with %s is for a person",
    async (message) => {
      expect(await failing({ code: 3862, message })).toEqual({
        ok: false,
        failure: { kind: "refused", code: 3862, message },
      });
    },
  );
});
