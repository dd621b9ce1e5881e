/** What a member kept of an earlier primary, and nobody ever acknowledged: it neither accuses the present one nor stops an election. */
import { expect, test } from "vitest";
import { settled } from "../../support/carry-out.ts";
import {
  config,
  placed,
  primaryFacts,
  server,
  silent,
  state,
  uuidOf,
  written,
} from "../../support/situation.ts";
import { codes, deciding, recordedBy, replica, revoking, term } from "./support.ts";

const before = settled(placed(3));
const claimed = state(revoking(3));
const stopped = { receiver: "off" } as const;

/** mysql-4 was the primary before mysql-0, and had acknowledged its first two transactions. */
const KNOWN = { executed: `${written(100)},\n${uuidOf(4)}:1-2`, terms: [term(1, 0), term(0, 4)] };
/** mysql-1 was away when mysql-0 was elected, and has one more of them; mysql-2 has followed mysql-0 since. */
const LEFT_FACTS = [
  { received: `${written(60)},\n${uuidOf(4)}:1-3`, executed: written(60), terms: [term(0, 4)] },
  { received: KNOWN.executed, ...KNOWN },
] as const;
const LEFT = LEFT_FACTS.map((of, index) => replica(index + 1, of, stopped));

test("who has followed the present primary is elected", () => {
  expect(recordedBy(deciding(before, claimed, silent(0), ...LEFT))?.pending).toMatchObject({
    primary: { ordinal: 2, serverUuid: uuidOf(2) },
  });
});

test("the present primary is elected when it came back, and is not said to have lost anything", () => {
  const back = server(0, primaryFacts(3, { readOnly: true, ...KNOWN }));
  expect(recordedBy(deciding(before, claimed, back, ...LEFT))?.pending?.primary.ordinal).toBe(0);
  const decision = deciding(before, back, ...LEFT);
  expect(recordedBy(decision)).toMatchObject({ phase: "Establishing", pending: config(3) });
  expect(codes(decision)).not.toContain("PrimaryLostTransactions");
});

test("without its own term row it may have lost it, and what it began itself it has lost", () => {
  const [away] = LEFT_FACTS;
  const lost = { ...away, received: `${written(101)},\n${uuidOf(4)}:1-2` };
  for (const [terms, of] of [
    [away.terms, away],
    [KNOWN.terms, lost],
  ] as const) {
    const back = server(0, primaryFacts(3, { readOnly: true, executed: KNOWN.executed, terms }));
    const decision = deciding(before, back, replica(1, of, stopped));
    expect(codes(decision)).toContain("PrimaryLostTransactions");
    expect(recordedBy(decision)).toMatchObject({ phase: "Revoking", op: { kind: "failover" } });
  }
});

test("nobody is elected while it is not known what the present primary had, or one lacks what that one began", () => {
  const [away, followed] = LEFT_FACTS;
  const unknown = [replica(1, away, stopped), replica(2, { ...followed, terms: away.terms }, stopped)];
  const newer = { ...away, received: `${written(101)},\n${uuidOf(4)}:1-3` };
  for (const members of [unknown, [replica(1, newer, stopped), replica(2, followed, stopped)]]) {
    const decision = deciding(before, claimed, silent(0), ...members);
    expect(recordedBy(decision)?.pending ?? null).toBeNull();
    expect(decision.problems.find(({ code }) => code === "MembersDiverged")?.message).toContain(
      "none of mysql-1, mysql-2 holds all that the others hold",
    );
  }
});
