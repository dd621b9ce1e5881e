/** Sizes as Kubernetes counts them, and what gives way when other people's annotations leave little room. */
import { describe, expect, test } from "vitest";
import {
  ANNOTATIONS_BYTES_MAX,
  annotationBytes,
  budgetProblem,
  shrink,
} from "../../../shared/annotations/budget.ts";
import { decodeConditions } from "../../../shared/annotations/conditions.ts";
import { decodeHistory } from "../../../shared/annotations/history.ts";
import { ANNOTATION, SET_ANNOTATIONS } from "../../../shared/annotations/keys.ts";
import { encodeState } from "../../../shared/annotations/state.ts";
import { condition, entry, state } from "./support.ts";

test("bytes of keys and values, not characters", () => {
  expect(annotationBytes({})).toBe(0);
  expect(annotationBytes({ a: "bc", é: "😀" })).toBe(3 + 6);
});

test("a problem above 192 KiB only, saying how much others must have put there", () => {
  expect(budgetProblem(196_608)).toBeNull();
  const ours = SET_ANNOTATIONS.reduce((sum, { key, bytesMax }) => sum + key.length + bytesMax, 0);
  const others = Math.ceil((196_609 - ours) / 1024);
  expect(others).toBeGreaterThan(60);
  expect(budgetProblem(196_609)).toEqual({
    code: "AnnotationsTooLarge",
    message:
      `The annotations take 193 of 256 KiB, at least ${others} KiB of them not Ordinal's: ` +
      "remove what is not needed until they are below 192 KiB.",
    blocks: true,
  });
});

describe("a write shrinks until it fits", () => {
  const history = Array.from({ length: 20 }, (_, epoch) => entry({ epoch, why: "w".repeat(200) }));
  const conditions = [
    condition({ message: "m".repeat(200) }),
    condition({ type: "Paused", message: "p".repeat(200) }),
  ];
  const writing = { state, conditions, history, phase: "Healthy" as const, backups: null, restore: null };
  const old = { [ANNOTATION.state]: "x".repeat(9000), [ANNOTATION.history]: "y".repeat(8000), other: "" };

  function leaving(room: number) {
    const others = annotationBytes({ other: "" });
    const existing = { ...old, other: "o".repeat(ANNOTATIONS_BYTES_MAX - others - room) };
    const written = shrink(existing, writing);
    return {
      bytes: annotationBytes({ ...existing, ...written }),
      state: written[ANNOTATION.state],
      phase: written[ANNOTATION.phase],
      history: decodeHistory(written[ANNOTATION.history]),
      conditions: decodeConditions(written[ANNOTATION.conditions]),
    };
  }

  const fixed = { state: encodeState(state), phase: "Healthy" };

  test("with room, everything is written, and what it replaces does not count", () => {
    const all = leaving(9000);
    expect(all).toMatchObject({ ...fixed, history, conditions });
    expect(all.bytes).toBeLessThanOrEqual(ANNOTATIONS_BYTES_MAX);
  });

  test("history goes first, the oldest of it", () => {
    const less = leaving(3000);
    expect(less).toMatchObject({ ...fixed, conditions });
    expect(less.history.length).toBeGreaterThan(0);
    expect(less.history).toEqual(history.slice(-less.history.length));
    expect(less.bytes).toBeLessThanOrEqual(ANNOTATIONS_BYTES_MAX);
  });

  test("then the messages of conditions", () => {
    const less = leaving(950);
    expect(less).toMatchObject({ ...fixed, history: [] });
    expect(less.conditions.map(({ message }) => message.length)).toEqual([120, 120]);
    expect(less.bytes).toBeLessThanOrEqual(ANNOTATIONS_BYTES_MAX);
  });

  test("never the state, even when it cannot fit", () => {
    const none = leaving(0);
    expect(none).toMatchObject({ ...fixed, history: [], conditions: [] });
    expect(none.bytes).toBeGreaterThan(ANNOTATIONS_BYTES_MAX);
  });

  test("a state that is left alone counts as it stands", () => {
    const written = shrink(old, { ...writing, state: null });
    expect(Object.keys(written)).toEqual([ANNOTATION.phase, ANNOTATION.conditions, ANNOTATION.history]);
  });
});
