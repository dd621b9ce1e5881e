/** State, history, conditions and the member record: what is written can be read, and nothing else harms. */
import { describe, expect, test } from "vitest";
import { decodeConditions, encodeConditions } from "../../../shared/annotations/conditions.ts";
import { decodeHistory, encodeHistory } from "../../../shared/annotations/history.ts";
import {
  decodeMemberRecord,
  encodeMemberRecord,
  sameMemberRecord,
} from "../../../shared/annotations/member.ts";
import { decodeState, encodeState } from "../../../shared/annotations/state.ts";
import { utf8Bytes } from "../../../shared/annotations/text.ts";
import type { MemberRecord } from "../../../shared/model/member.ts";
import { MALFORMED } from "../../support/hostile.ts";
import { condition, entry, state } from "./support.ts";

describe("state", () => {
  test("is canonical: sorted keys, no spaces, the same text for the same value", () => {
    const text = encodeState(state);
    expect(text).toMatch(
      /^\{"clusterUid":"uid-1","epoch":7,"established":\{"ackCount":1,"ackers":\[\{"ordinal":0,/,
    );
    expect(encodeState({ ...state })).toBe(text);
    expect(encodeState(Object.fromEntries(Object.entries(state).reverse()) as typeof state)).toBe(text);
  });

  test("is read back", () => {
    expect(decodeState(encodeState(state), "uid-1")).toEqual({ kind: "valid", state });
    expect(decodeState(JSON.stringify(state, null, 2), "uid-1")).toEqual({ kind: "valid", state });
  });

  test.each([
    ["absent", undefined, { kind: "none" }],
    ["empty", "", { kind: "invalid", reason: "not JSON" }],
    ["cut", encodeState(state).slice(0, -1), { kind: "invalid", reason: "not JSON" }],
    [
      "another cluster's",
      encodeState({ ...state, clusterUid: "uid-2" }),
      { kind: "foreign", clusterUid: "uid-2" },
    ],
    ["newer", '{"v":2,"whatever":[]}', { kind: "newer", version: 2 }],
    [
      "older",
      encodeState(state).replace('"v":1', '"v":0'),
      { kind: "invalid", reason: "v: Invalid input: expected 1" },
    ],
    ["of no version", "{}", { kind: "invalid" }],
    ["version as text", '{"v":"2"}', { kind: "invalid" }],
    ["version beyond numbers", '{"v":1e999}', { kind: "invalid" }],
    ["null", "null", { kind: "invalid" }],
    ["a list", "[]", { kind: "invalid" }],
    ["with a key more", encodeState(state).replace("{", '{"extra":1,'), { kind: "invalid" }],
    ["of a negative epoch", encodeState({ ...state, epoch: -1 }), { kind: "invalid" }],
    [
      "too long",
      `${encodeState(state)}${" ".repeat(16_384)}`,
      { kind: "invalid", reason: "longer than 16384 bytes" },
    ],
    [
      "too long in bytes only",
      `"${"é".repeat(8192)}"`,
      { kind: "invalid", reason: "longer than 16384 bytes" },
    ],
    ["too deep", "[".repeat(8000), { kind: "invalid", reason: "nested deeper than 8" }],
    ["brackets in a text", `["${"[".repeat(50)}\\"${"{".repeat(50)}"]`, { kind: "invalid" }],
    ["a prototype key", '{"__proto__":{"v":1}}', { kind: "invalid", reason: "forbidden key __proto__" }],
    [
      "a constructor",
      '{"v":1,"op":{"constructor":1}}',
      { kind: "invalid", reason: "forbidden key constructor" },
    ],
  ])("%s", (_, raw, observed) => {
    expect(decodeState(raw, "uid-1")).toMatchObject(observed);
  });

  test("a reason is one printable line", () => {
    const result = decodeState(`{"v":1,"a\\nb\\u202e${"c".repeat(300)}":1}`, "uid-1");
    expect(result).toMatchObject({ kind: "invalid" });
    const reason = result.kind === "invalid" ? result.reason : "";
    expect(reason.length).toBeLessThanOrEqual(120);
    expect(reason).not.toMatch(/[\p{C}]/u);
  });

  test("nasty texts are never valid, never newer", () => {
    for (const raw of MALFORMED) expect(decodeState(raw, "uid-1").kind).toBe("invalid");
  });

  test("a state that is too large is a bug, not a cut", () => {
    const ackers = Array.from({ length: 32 }, (_, ordinal) => ({ ordinal, serverUuid: "\u0001".repeat(64) }));
    const config = { primary: { ordinal: 0, serverUuid: "u" }, ackers, ackCount: 1 };
    const huge = { ...state, established: config, pending: { ...config, open: true } };
    expect(() => encodeState(huge)).toThrow("assertion failed: state is longer than 16384 bytes");
  });
});

describe("history", () => {
  test("keeps the newest 32, newest last", () => {
    const entries = Array.from({ length: 40 }, (_, epoch) => entry({ epoch }));
    expect(decodeHistory(encodeHistory(entries)).map(({ epoch }) => epoch)).toEqual(
      Array.from({ length: 32 }, (_, index) => index + 8),
    );
  });

  test("drops the oldest to stay within 8 KiB", () => {
    const entries = Array.from({ length: 32 }, (_, epoch) => entry({ epoch, why: "ü".repeat(400) }));
    const text = encodeHistory(entries);
    expect(utf8Bytes(text)).toBeLessThanOrEqual(8192);
    expect(decodeHistory(text).map(({ epoch }) => epoch)).toEqual([23, 24, 25, 26, 27, 28, 29, 30, 31]);
  });

  test("cuts what the schema would refuse, so that it can be read back", () => {
    const long = entry({
      reason: "r".repeat(99),
      why: "w".repeat(999),
      considered: Array(20).fill("c".repeat(999)),
    });
    const [read] = decodeHistory(encodeHistory([long]));
    expect(read?.reason).toHaveLength(64);
    expect(read?.why).toBe(`${"w".repeat(399)}…`);
    expect(read?.considered).toHaveLength(10);
  });

  test("fits into little room, and into none", () => {
    expect(
      decodeHistory(encodeHistory([entry({ epoch: 1 }), entry({ epoch: 2 })], 150)).map(({ epoch }) => epoch),
    ).toEqual([2]);
    expect(encodeHistory([entry()], 10)).toBe("[]");
    expect(encodeHistory([entry()], -1)).toBe("[]");
  });

  test("garbage is no history, and a bad entry does not hide the good ones", () => {
    for (const raw of [undefined, ...MALFORMED, "{}", '[{"__proto__":1}]'])
      expect(decodeHistory(raw)).toEqual([]);
    const mixed = `[1,null,${JSON.stringify(entry())},{"at":"yesterday"}]`;
    expect(decodeHistory(mixed)).toEqual([entry()]);
  });
});

describe("conditions", () => {
  test("are read back", () => {
    const list = [condition(), condition({ type: "ReplicaLagging", reason: "ReplicaLagging" })];
    expect(decodeConditions(encodeConditions(list))).toEqual(list);
  });

  test("a message is cut with an ellipsis, never through a code point", () => {
    const [cut] = decodeConditions(encodeConditions([condition({ message: `a${"😀".repeat(150)}` })]));
    expect(cut?.message).toBe(`a${"😀".repeat(99)}…`);
    expect(cut?.message).toHaveLength(200);
    const [whole] = decodeConditions(encodeConditions([condition({ message: "😀".repeat(100) })]));
    expect(whole?.message).toBe("😀".repeat(100));
  });

  test("within 4 KiB: messages get shorter, and Ready is the last to go", () => {
    const many = Array.from({ length: 16 }, (_, index) =>
      condition({ type: `Type${index}`, message: "ü".repeat(200) }),
    );
    const text = encodeConditions(many);
    expect(utf8Bytes(text)).toBeLessThanOrEqual(4096);
    expect(decodeConditions(text)).toHaveLength(16);
    const [first, ...others] = decodeConditions(encodeConditions(many, 400));
    expect(first?.type).toBe("Type0");
    expect(others).toHaveLength(1);
    expect(encodeConditions(many, 0)).toBe("[]");
  });

  test("garbage is no condition", () => {
    for (const raw of [undefined, ...MALFORMED, "{}", "[[]]"]) expect(decodeConditions(raw)).toEqual([]);
  });
});

describe("member record", () => {
  const record: MemberRecord = {
    role: "replica",
    note: "unreachable for 4 s",
    serverUuid: "uuid-2",
    version: "9.7.0",
    at: "2026-11-23T10:00:00.000Z",
    acks: true,
    lagMs: 4000,
  };
  const raw = encodeMemberRecord(record);

  test("is read back; garbage is none", () => {
    expect(decodeMemberRecord(raw)).toEqual(record);
    for (const text of [undefined, ...MALFORMED, "{}"]) expect(decodeMemberRecord(text)).toBeNull();
  });

  test.each<[string, Partial<MemberRecord>, boolean]>([
    ["later", { at: "2026-11-23T11:00:00.000Z" }, true],
    ["a little less lag", { lagMs: 3000 }, true],
    ["half the lag", { lagMs: 2000 }, true],
    ["double the lag", { lagMs: 8000 }, true],
    ["less than half", { lagMs: 1999 }, false],
    ["more than double", { lagMs: 8001 }, false],
    ["no lag known", { lagMs: null }, false],
    ["the same note, seconds later", { note: "unreachable for 9 s" }, true],
    ["another note", { note: "" }, false],
    ["another role", { role: "none" }, false],
    ["another server", { serverUuid: "uuid-3" }, false],
    ["another version", { version: "9.7.1" }, false],
    ["no acknowledgements", { acks: false }, false],
  ])("news or not: %s", (_, change, same) => {
    expect(sameMemberRecord(raw, { ...record, ...change })).toBe(same);
  });

  const copied = { bytes: 10, bytesExpected: 100 };
  test.each<[string, Partial<MemberRecord>, boolean]>([
    [
      "has moved, within ten seconds",
      { copied: { ...copied, bytes: 90 }, at: "2026-11-23T10:00:09.999Z" },
      true,
    ],
    [
      "has moved, ten seconds on",
      { copied: { ...copied, bytes: 11 }, at: "2026-11-23T10:00:10.000Z" },
      false,
    ],
    ["is to be more", { copied: { ...copied, bytesExpected: 101 }, at: "2026-11-23T10:00:10.000Z" }, false],
    ["stands still", { copied, at: "2026-11-23T11:00:00.000Z" }, true],
    [
      "has a record of a later clock",
      { copied: { ...copied, bytes: 90 }, at: "2026-11-23T09:00:00.000Z" },
      false,
    ],
    ["is over", {}, false],
  ])("a copy that %s is news or not", (_, change, same) => {
    const copying = encodeMemberRecord({ ...record, copied });
    expect(sameMemberRecord(copying, { ...record, ...change })).toBe(same);
    expect(sameMemberRecord(raw, { ...record, copied })).toBe(false);
  });

  test("what was not there or cannot be read is news", () => {
    expect(sameMemberRecord(undefined, record)).toBe(false);
    expect(sameMemberRecord("{}", record)).toBe(false);
    expect(sameMemberRecord(encodeMemberRecord({ ...record, lagMs: null }), { ...record, lagMs: null })).toBe(
      true,
    );
  });
});
