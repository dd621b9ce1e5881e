/** How an adoption goes on: who is waited for, who is not, and that its primary is never held up. */
import { describe, expect, test } from "vitest";
import { decide } from "../../../shared/decide/index.ts";
import type { DesiredMember, EngineRules } from "../../../shared/model/engine.ts";
import { stepsOfKind } from "../../support/carry-out.ts";
import {
  accounts,
  adopting,
  adoptingState,
  but,
  type Change,
  config,
  facts,
  NOW_MS,
  newUuidOf,
  observed,
  primaryFacts,
  RULES,
  replicaFacts,
  server,
  silent,
  spec,
  state,
  uuidOf,
  written,
} from "../../support/situation.ts";
import { deciding, recordedBy } from "./support.ts";

const quiet = { ...replicaFacts(1).acks, given: false, active: false };
const follower = (ordinal: number, more: Parameters<typeof replicaFacts>[1] = {}): Change =>
  server(ordinal, replicaFacts(ordinal, { acks: quiet, ...more }));
const stranger = (ordinal: number): Change =>
  server(ordinal, facts(ordinal, { serverUuid: newUuidOf(ordinal), survey: { schemas: ["crm"] } }));
const lag = (ms: number) => ({ executed: written(90), received: written(100), applyingSinceMs: NOW_MS - ms });

function recorded(...changes: readonly Change[]) {
  return recordedBy(deciding(adopting(5, ...changes)))?.pending?.ackers.map(({ ordinal }) => ordinal) ?? null;
}

describe("acknowledgers are recorded", () => {
  test("once there are enough of them, and nobody is on the way", () => {
    const two = [follower(1), follower(2)];
    expect(recorded(...two, stranger(3), stranger(4))).toEqual([1, 2]);
    expect(recorded(...two, silent(3), silent(4))).toEqual([1, 2]);
    expect(recorded(follower(1), stranger(2), stranger(3), stranger(4))).toBeNull();
    // One is copied to, or begins to follow.
    expect(recorded(...two, stranger(3))).toBeNull();
    expect(recorded(...two, stranger(3), follower(4, { channel: null }))).toBeNull();
  });

  test("who is no further behind than a replica may be", () => {
    const others = [follower(1), stranger(3), stranger(4)];
    expect(recorded(...others, follower(2, lag(10_000)))).toEqual([1, 2]);
    expect(recorded(...others, follower(2, lag(10_001)))).toBeNull();
  });

  test("beside those that are recorded already, each by its very server", () => {
    const pending = (...serverUuids: readonly string[]) => {
      const ackers = serverUuids.map((serverUuid) => ({ ordinal: 1, serverUuid }));
      return state(adoptingState(5, { pending: { ...config(5), ackers, open: false } }));
    };
    const rest = [follower(2), stranger(3), stranger(4)];
    expect(recorded(pending(uuidOf(1)), follower(1), ...rest)).toEqual([1, 2]);
    expect(recorded(pending(newUuidOf(1)), follower(1), ...rest)).toEqual([1, 1, 2]);
  });
});

test("accounts that a new member lacks are made before anything else", () => {
  const keys = ["control", "replication-0", "replication-1"];
  const fewer = but({ accounts: { kind: "found", uid: "uid-accounts", keys } });
  expect(deciding(adopting(3, fewer)).tracks).toEqual([[{ kind: "EnsureAccounts", ordinals: [0, 1, 2] }]]);
  const without = but({ accounts: { kind: "found", uid: "uid-accounts", keys: ["replication-0"] } });
  expect(deciding(adopting(1, without)).tracks).toHaveLength(1);
  expect(stepsOfKind(deciding(adopting(3)), "EnsureAccounts")).toEqual([]);
});

test("nothing is done to anybody while the chosen primary does not answer", () => {
  const decision = deciding(adopting(3, silent(0)));
  expect(decision.tracks).toEqual([]);
  expect(decision.why).toBe("adoption waits for mysql-0");
});

describe("establishing", () => {
  const establishing = (open: boolean) =>
    state(adoptingState(3, { phase: "Establishing", pending: { ...config(3), open } }));
  const at = (open: boolean, ...changes: readonly Change[]) =>
    deciding(
      observed(
        3,
        accounts,
        establishing(open),
        server(0, primaryFacts(3)),
        follower(1),
        follower(2),
        ...changes,
      ),
    );

  test("goes on while a recorded acker is away, as long as enough are there", () => {
    expect(stepsOfKind(at(true, server(0, primaryFacts(3, { terms: [] })), silent(2)), "Open")).toHaveLength(
      1,
    );
    const alone = at(true, server(0, primaryFacts(3, { terms: [] })), silent(1), silent(2));
    expect(stepsOfKind(alone, "Open")).toEqual([]);
    expect(alone.why).toBe("adoption waits for members to be seeded");
  });

  test("has its ackers acknowledge beside what is done on the primary", () => {
    const unarmed = { ...primaryFacts(3).acks, required: false };
    const decision = at(false, server(0, primaryFacts(3, { acks: unarmed, terms: [] })));
    expect(stepsOfKind(decision, "Acknowledge").map(({ ordinal, on }) => [ordinal, on])).toEqual([
      [1, true],
      [2, true],
    ]);
    expect(stepsOfKind(decision, "Arm")).toHaveLength(1);
    const few = at(false, server(0, primaryFacts(3, { acks: { ...unarmed, clients: 0 }, terms: [] })));
    expect(few.why).toBe("adoption waits for 1 acknowledging replicas (0 now)");
    expect(stepsOfKind(few, "Acknowledge")).toHaveLength(2);
  });

  test("records what it will do, and is looked at again at once", () => {
    const decision = at(false, server(0, primaryFacts(3, { terms: [] })));
    expect(recordedBy(decision)?.pending?.open).toBe(true);
    expect([decision.phase, decision.lookAgainMs]).toEqual(["Adopting", 0]);
  });
});

describe("what a member is prepared for", () => {
  /** As the rules are told of it. */
  const desired = (ordinal: number, ...changes: readonly Change[]) => {
    const asked: DesiredMember[] = [];
    const preparations: EngineRules["preparations"] = (of, member) => {
      asked.push(member);
      return RULES.preparations(of, member);
    };
    decide(adopting(3, ...changes), { ...RULES, preparations }, NOW_MS);
    return asked.find((member) => member.ordinal === ordinal);
  };

  test("who the others are, their numbers, and that nobody is waited for before ackers are recorded", () => {
    expect(desired(0, silent(2))).toEqual({
      ...{ ordinal: 0, role: "primary", ackCount: 0, resumes: false },
      ...{ ordinals: [0, 1, 2], deletesLogs: null, takenNumbers: ["2"] },
    });
    expect(desired(1, spec({ onRestart: "resume" }), server(2, facts(2, { settings: {} })))).toEqual({
      ...{ ordinal: 1, role: "unseeded", ackCount: 0, resumes: true },
      ...{ ordinals: [0, 1, 2], deletesLogs: null, takenNumbers: ["1", ""] },
    });
    const pending = { ...config(3), open: false };
    const establishing = state(adoptingState(3, { phase: "Establishing", pending }));
    expect(desired(0, establishing)).toMatchObject({ ackCount: 1 });
  });
});
