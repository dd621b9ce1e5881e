/** The ring of requests is read whatever stands there, and how each stands follows from what passes recorded. */
import { describe, expect, test } from "vitest";
import { encodeConditions } from "../../../shared/annotations/conditions.ts";
import { encodeHistory } from "../../../shared/annotations/history.ts";
import { ANNOTATION } from "../../../shared/annotations/keys.ts";
import {
  answerOf,
  decodeRequests,
  encodeRequests,
  isSameWish,
  wishAnnotation,
} from "../../../shared/annotations/requests.ts";
import { encodeState } from "../../../shared/annotations/state.ts";
import { utf8Bytes } from "../../../shared/annotations/text.ts";
import type { StatefulSet } from "../../../shared/model/kube.ts";
import type { RequestEntry } from "../../../shared/model/request.ts";
import type { State } from "../../../shared/model/state.ts";
import { MALFORMED } from "../../support/hostile.ts";
import { condition, entry, setWith, state } from "./support.ts";

const AT = "2026-11-23T10:00:00.000Z";
const BEFORE = "2026-11-23T09:59:59.999Z";
const LATER = "2026-11-23T10:00:05.000Z";

const scale: RequestEntry = {
  id: "scale-0123abcd",
  kind: "scale",
  wish: { replicas: 5 },
  by: "ann",
  at: AT,
  key: "0123456789abcdef",
};
const switchover: RequestEntry = {
  ...scale,
  id: "switchover-0123abcd",
  kind: "switchover",
  wish: { to: "mysql-2" },
};

describe("the ring", () => {
  test("is read back, newest last", () => {
    expect(decodeRequests(encodeRequests([scale, switchover]))).toEqual([scale, switchover]);
    expect(decodeRequests(undefined)).toEqual([]);
  });

  test("is at most 64 and 8 KiB, the oldest going first", () => {
    const many = Array.from({ length: 100 }, (_, at) => ({ ...scale, wish: { replicas: (at % 33) + 1 } }));
    const raw = encodeRequests(many.map((one) => ({ ...one, by: "ü".repeat(300) })));
    expect(utf8Bytes(raw)).toBeLessThanOrEqual(8192);
    const back = decodeRequests(raw);
    expect(back.at(-1)).toMatchObject({ wish: { replicas: 1 }, by: `${"ü".repeat(63)}…` });
    expect(back.length).toBeGreaterThan(20);
  });

  test("leaves out what cannot be read", () => {
    const odd = [
      { ...scale, wish: { to: "mysql-2" } },
      { ...scale, wish: { replicas: 0 } },
      { ...scale, id: "scale-1\r\nx: 1" },
      { ...scale, key: "" },
      { ...scale, more: 1 },
      { ...scale, kind: "rename" },
      null,
      scale,
    ];
    expect(decodeRequests(JSON.stringify(odd))).toEqual([scale]);
    for (const raw of MALFORMED) expect(decodeRequests(raw)).toEqual([]);
  });
});

test("a wish is one annotation of the user's, and two for the same thing are the same", () => {
  expect(wishAnnotation(scale)).toEqual({ key: ANNOTATION.replicas, value: "5" });
  expect(wishAnnotation(switchover)).toEqual({ key: ANNOTATION.switchoverTo, value: "mysql-2" });
  expect(isSameWish(scale, { kind: "scale", wish: { replicas: 5 } })).toBe(true);
  expect(isSameWish(scale, { kind: "scale", wish: { replicas: 4 } })).toBe(false);
  expect(isSameWish(scale, switchover)).toBe(false);
});

interface Recorded {
  readonly wish?: string;
  readonly state?: Partial<State>;
  readonly replicas?: number;
  readonly refused?: string;
  readonly phase?: string;
  readonly ended?: readonly (readonly [reason: string, at: string, why: string])[];
}

function setOf(key: string, recorded: Recorded): StatefulSet {
  const { wish, state: changes = {}, replicas = 3, refused, phase, ended = [] } = recorded;
  const conditions =
    refused === undefined ? [] : [condition({ type: refused, reason: refused, message: "Why." })];
  const set = setWith({
    ...(wish !== undefined && { [key]: wish }),
    ...(phase !== undefined && { [ANNOTATION.phase]: phase }),
    [ANNOTATION.state]: encodeState({ ...state, ...changes }),
    [ANNOTATION.conditions]: encodeConditions(conditions),
    [ANNOTATION.history]: encodeHistory(ended.map(([reason, at, why]) => entry({ reason, at, why }))),
  });
  return { ...set, replicas };
}

const five = {
  primary: { ordinal: 1, serverUuid: "u" },
  ackers: [{ ordinal: 4, serverUuid: "v" }],
  ackCount: 1,
};

describe("a request to scale", () => {
  test.each<[string, string, Recorded]>([
    ["has as many", "done", { wish: "5", replicas: 5, state: { established: five } }],
    [
      "has as many, some of them on their way",
      "accepted",
      { wish: "5", replicas: 5, state: { established: five }, phase: "Scaling" },
    ],
    [
      "was paused on its way",
      "accepted",
      { wish: "5", replicas: 5, state: { established: five }, phase: "Paused" },
    ],
    [
      "has as many, and one of them is broken",
      "done",
      { wish: "5", replicas: 5, state: { established: five }, phase: "Degraded" },
    ],
    ["has fewer", "accepted", { wish: "5", replicas: 4, state: { established: five } }],
    [
      "has as many, and is not established",
      "accepted",
      { wish: "5", replicas: 5, state: { established: null } },
    ],
    [
      "is still being changed",
      "accepted",
      { wish: "5", replicas: 5, state: { pending: { ...five, open: false } } },
    ],
    ["is failing over", "accepted", { wish: "5", replicas: 5, state: { phase: "Revoking" } }],
    ["has somebody else's record", "accepted", { wish: "5", replicas: 5, state: { clusterUid: "other" } }],
    ["was asked for another number", "superseded", { wish: "4", replicas: 5 }],
    ["was asked no more", "superseded", { replicas: 5, state: { established: five } }],
    ["refuses", "refused", { wish: "5", refused: "ScaleRefused" }],
    ["refuses something else", "accepted", { wish: "5", refused: "SwitchoverRefused" }],
    ["refused, and has as many", "done", { wish: "5", replicas: 5, refused: "ScaleRefused" }],
  ])("of a cluster that %s is %s", (_, status, recorded) => {
    expect(answerOf(scale, setOf(ANNOTATION.replicas, recorded)).status).toBe(status);
  });

  test("of a cluster that is paused and whole is done", () => {
    const ackers = [0, 2, 3, 4].map((ordinal) => ({ ordinal, serverUuid: `v${ordinal}` }));
    const whole = { wish: "5", replicas: 5, phase: "Paused", state: { established: { ...five, ackers } } };
    expect(answerOf(scale, setOf(ANNOTATION.replicas, whole)).status).toBe("done");
  });

  test("is not done while a recorded member is to go", () => {
    const down: RequestEntry = { ...scale, kind: "scale", wish: { replicas: 3 } };
    const ask = (established: State["established"]) =>
      answerOf(down, setOf(ANNOTATION.replicas, { wish: "3", state: { established } })).status;
    expect(ask(five)).toBe("accepted");
    expect(ask({ ...five, primary: { ordinal: 3, serverUuid: "w" }, ackers: [] })).toBe("accepted");
    expect(ask({ ...five, ackers: [{ ordinal: 2, serverUuid: "v" }] })).toBe("done");
  });

  test("is refused with the sentence of the condition", () => {
    const set = setOf(ANNOTATION.replicas, { wish: "5", refused: "ScaleRefused" });
    expect(answerOf(scale, set)).toEqual({ status: "refused", message: "Why." });
  });
});

const under = (target: number): Partial<State> => ({
  op: { id: "switchover-8", kind: "switchover", step: "Demote", startedAt: LATER, target },
});
const completed = (at: string, pod: string) =>
  ["SwitchoverCompleted", at, `${pod} takes writes in epoch 8.`] as const;
const abandoned = (at: string) => ["SwitchoverAbandoned", at, "mysql-0 stays the primary."] as const;

describe("a switchover", () => {
  test.each<[string, string, Recorded]>([
    ["waits", "accepted", { wish: "mysql-2" }],
    [
      "waits behind another one that ended",
      "accepted",
      { wish: "mysql-2", ended: [completed(LATER, "mysql-2")] },
    ],
    ["is refused", "refused", { wish: "mysql-2", refused: "SwitchoverRefused" }],
    ["is under way", "accepted", { state: under(2) }],
    ["is under way after another one", "accepted", { state: under(2), ended: [abandoned(LATER)] }],
    ["was completed", "done", { ended: [completed(AT, "mysql-2")] }],
    [
      "was completed after another one",
      "done",
      { ended: [completed(LATER, "mysql-0"), completed(LATER, "mysql-2")] },
    ],
    ["was abandoned", "failed", { ended: [abandoned(LATER), completed(LATER, "mysql-2")] }],
    ["was completed before it was asked for", "superseded", { ended: [completed(BEFORE, "mysql-2")] }],
    ["went to another one", "superseded", { ended: [completed(LATER, "mysql-20")] }],
    [
      "is told of by something else",
      "superseded",
      { ended: [["FailoverCompleted", LATER, "mysql-2 takes writes in epoch 8."]] },
    ],
    ["gave way to another one", "superseded", { state: under(0) }],
    ["was withdrawn", "superseded", {}],
    ["was replaced", "superseded", { wish: "mysql-0" }],
  ])("that %s is %s", (_, status, recorded) => {
    expect(answerOf(switchover, setOf(ANNOTATION.switchoverTo, recorded)).status).toBe(status);
  });
});

test("a switchover whose wish is gone without a trace says what may have become of it", () => {
  expect(answerOf(switchover, setOf(ANNOTATION.switchoverTo, {})).message).toBe(
    "It was withdrawn, or another change of the primary took its place.",
  );
});

test("a condition that does not hold refuses nothing", () => {
  const over = condition({ type: "ScaleRefused", status: "False", reason: "Over", message: "Not now." });
  const set = setWith({
    [ANNOTATION.replicas]: "5",
    [ANNOTATION.conditions]: encodeConditions([over]),
  });
  expect(answerOf(scale, set).status).toBe("accepted");
});

test("an object on which nothing can be read leaves a request open, or superseded", () => {
  for (const raw of MALFORMED) {
    const broken = { [ANNOTATION.state]: raw, [ANNOTATION.history]: raw, [ANNOTATION.conditions]: raw };
    expect(answerOf(scale, setWith({ ...broken, [ANNOTATION.replicas]: "5" })).status).toBe("accepted");
    expect(answerOf(switchover, setWith(broken)).status).toBe("superseded");
  }
});
