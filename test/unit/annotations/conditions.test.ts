/** From problems to conditions: what is kept, what is news, and that an idle pass writes nothing. */
import { describe, expect, test } from "vitest";
import { encodeConditions, nextConditions } from "../../../shared/annotations/conditions.ts";
import type { Problem } from "../../../shared/model/condition.ts";
import { condition, problem } from "./support.ts";

const ready = { status: "True", reason: "Healthy", message: "3 of 3 members are in place." } as const;
const first = { generation: 1, nowMs: Date.UTC(2026, 10, 23, 10) };
const later = { generation: 1, nowMs: Date.UTC(2026, 10, 23, 11) };

function twice(before: readonly Problem[], after: readonly Problem[]) {
  const previous = nextConditions([], before, ready, first);
  return { previous, next: nextConditions(previous, after, ready, later) };
}

test("Ready first, then one per code in the order of the table", () => {
  const problems = [
    problem("NoSpareCopy", "1 of the 1 replicas acknowledge."),
    problem("MemberUnreachable", "mysql-2 does not answer.", 2),
    problem("AnnotationInvalid", "wrong"),
  ];
  const conditions = nextConditions([], problems, ready, first);
  expect(conditions.map(({ type, status, reason }) => [type, status, reason])).toEqual([
    ["Ready", "True", "Healthy"],
    ["AnnotationInvalid", "True", "AnnotationInvalid"],
    ["MemberUnreachable", "True", "MemberUnreachable"],
    ["NoSpareCopy", "True", "NoSpareCopy"],
  ]);
  expect(conditions.every((one) => one.lastTransitionAt === "2026-11-23T10:00:00.000Z")).toBe(true);
});

test("a problem that is gone leaves the list", () => {
  const { next } = twice([problem("Paused", "Paused.")], []);
  expect(next.map(({ type }) => type)).toEqual(["Ready"]);
});

test("several of one code are one sentence and a count, whatever their order", () => {
  const problems = [2, 0, 1].map((ordinal) =>
    problem("ReplicaBroken", `mysql-${ordinal} does not replicate.`, ordinal),
  );
  const [, merged] = nextConditions([], problems, ready, first);
  expect(merged?.message).toBe("mysql-0 does not replicate. (and 2 more)");
  expect(nextConditions([], problems.toReversed(), ready, first)[1]).toEqual(merged);
  const long = problems.map((one) => ({ ...one, message: "é".repeat(300) }));
  const [, cut] = nextConditions([], long, ready, first);
  expect(cut?.message).toBe(`${"é".repeat(186)}… (and 2 more)`);
  expect(cut?.message).toHaveLength(200);
});

test("the instant stays while status and reason do; the generation follows", () => {
  const previous = [condition()];
  const [same] = nextConditions(previous, [], ready, { ...later, generation: 2 });
  expect(same).toEqual(condition({ observedGeneration: 2 }));
  const [other] = nextConditions(previous, [], { ...ready, reason: "Degraded" }, later);
  expect(other?.lastTransitionAt).toBe("2026-11-23T11:00:00.000Z");
  const [gone] = nextConditions(previous, [], { ...ready, status: "False" }, later);
  expect(gone?.lastTransitionAt).toBe("2026-11-23T11:00:00.000Z");
});

describe("a message is kept unless there is news", () => {
  const count = (n: number) =>
    Array.from({ length: n }, (_, i) => problem("ReplicaBroken", "mysql-1 is broken.", i));
  const one = (message: string) => [problem("ReplicaLagging", message)];
  test.each<[string, readonly Problem[], readonly Problem[], boolean]>([
    ["seconds of lag", one("mysql-2 is 12 s behind."), one("mysql-2 is 3 s behind."), true],
    ["with a fraction", one("0.3 s"), one("14 s"), true],
    ["thousands", one("1,234 transactions"), one("9 transactions"), true],
    ["a GTID set", one("3e11fa47-71ca:1-88161:90-91"), one("3e11fa47-71ca:1-99:100-101"), true],
    ["an instant", one("since 03:12:04"), one("since 03:12:05"), true],
    ["another instance", one("mysql-2 is 12 s behind."), one("mysql-1 is 12 s behind."), false],
    ["another instance of a set with a number", one("db1-0 is behind."), one("db1-1 is behind."), false],
    ["a percentage within its tenth", one("12 % copied, 3 s"), one("19.5 % copied, 8 s"), true],
    ["the next tenth", one("12 % copied"), one("20 % copied"), false],
    ["a count of members", one("2 of 3 members are in place"), one("3 of 3 members are in place"), false],
    ["an epoch", one("in epoch 7"), one("in epoch 8"), false],
    ["other words", one("It is 12 s behind."), one("It is 12 min behind."), false],
    ["one more of the same", count(2), count(3), false],
    ["one less of the same", count(3), count(2), false],
    ["only one of the same", count(2), count(1), false],
    [
      "a long one, cut elsewhere",
      one(`lag 9 s ${"a ".repeat(200)}`),
      one(`lag 1000 s ${"a ".repeat(200)}`),
      true,
    ],
    ["a long one, cut in a number", one(`${"a".repeat(197)} 12345`), one(`${"a".repeat(197)} 99999`), true],
    [
      "a long one of another instance",
      one(`mysql-1 ${"a ".repeat(200)}`),
      one(`mysql-2 ${"a ".repeat(200)}`),
      false,
    ],
  ])("%s", (_, before, after, kept) => {
    const { previous, next } = twice(before, after);
    const [fresh] = nextConditions([], after, ready, first).slice(1);
    expect(next[1]?.message).toBe(kept ? previous[1]?.message : fresh?.message);
    // What is kept is kept to the byte, so that the pass has nothing to write.
    expect(encodeConditions(next) === encodeConditions(previous)).toBe(kept);
    expect(next[1]?.lastTransitionAt).toBe("2026-11-23T10:00:00.000Z");
  });
});

test("a message of somebody else's words is one printable line", () => {
  const [, only] = nextConditions([], [problem("ReplicaBroken", "a\nb\u202E\0c")], ready, first);
  expect(only?.message).toBe("a\\u000Ab\\u202E\\u0000c");
});
