/** Servers delete no logs while the archive stands still, unless a volume is nearly full, and go on as before afterwards. */
import { expect, test } from "vitest";
import { decide } from "../../../shared/decide/index.ts";
import type { ArchiveReport, BackupMemory } from "../../../shared/model/backup.ts";
import type { Decision } from "../../../shared/model/decision.ts";
import type { EngineRules } from "../../../shared/model/engine.ts";
import type { ServerFacts } from "../../../shared/model/server.ts";
import { asking, memory, remembering } from "../../support/backups.ts";
import { stepsOfKind } from "../../support/carry-out.ts";
import { but, type Change, RULES, read } from "../../support/situation.ts";
import { at, recorded, rested, sentence } from "./backup-support.ts";
import { changed } from "./support.ts";

const NOON = "2026-11-23T12:00:00Z";
type Purging = NonNullable<BackupMemory["archive"]>["purging"];

const STANDS: ArchiveReport = { heldToMs: null, failure: "the store is away" };
const GOES_ON: ArchiveReport = { heldToMs: at(NOON), failure: null };

function archive(purging: Purging): BackupMemory["archive"] {
  return { since: "2026-11-23T02:00:00Z", heldTo: "2026-11-23T11:50:00Z", failure: null, purging };
}

/** What every server says, and how large its volume is. */
const servers =
  (facts: Partial<ServerFacts>, capacityBytes: number | null = 1_000): Change =>
  (before) => ({
    ...before,
    members: before.members.map((one) => ({
      ...one,
      claim: one.claim && { ...one.claim, capacityBytes },
      server: one.server.kind === "read" ? read({ ...one.server.facts, ...facts }) : one.server,
    })),
  });

const DELETES = { deletesLogs: true };
const HOLDS = (storedBytes: number) => ({ deletesLogs: false, storedBytes });

function seen(purging: Purging, report: ArchiveReport, ...more: readonly Change[]): Decision {
  const known = remembering(memory({ archive: archive(purging) }));
  return decide(
    changed(rested, asking({ archive: true }), known, but({ archive: report }), ...more),
    rules,
    at(NOON),
  );
}

const next = (decision: Decision) => recorded(decision)?.archive?.purging;

/** An engine whose servers lack nothing else. */
const rules: EngineRules = {
  ...RULES,
  preparations: (facts, { deletesLogs }) =>
    deletesLogs === null || deletesLogs === facts.deletesLogs
      ? []
      : [{ kind: "settings", text: "", parameters: { deletesLogs: String(deletesLogs) } }],
};

/** What is set on servers about it. */
function set(decision: Decision): readonly string[] {
  return stepsOfKind(decision, "Prepare").map(
    ({ ordinal, preparation }) => `${ordinal}: ${preparation.parameters["deletesLogs"]}`,
  );
}

test("when the archive stands still it is recorded first, then set on every server", () => {
  const begun = seen("usual", STANDS, servers(DELETES));
  expect([next(begun), set(begun)]).toEqual(["held", []]);
  expect(set(seen("held", STANDS, servers(DELETES)))).toEqual(["0: false", "1: false", "2: false"]);
  const kept = seen("held", STANDS, servers(HOLDS(799)));
  expect([set(kept), sentence(kept, "ArchiveExpiring")]).toEqual([[], undefined]);
});

test("while it goes on nothing is touched, whatever others have set", () => {
  for (const one of [servers(DELETES), servers({ deletesLogs: false })]) {
    const decision = seen("usual", GOES_ON, one);
    expect([next(decision), set(decision)]).toEqual(["usual", []]);
  }
});

test("nothing is held where nobody could say when a volume is full, or where servers delete nothing anyway", () => {
  expect(next(seen("usual", STANDS, servers(DELETES, null)))).toBe("usual");
  expect(next(seen("usual", STANDS, servers({ deletesLogs: false })))).toBe("usual");
  expect(next(seen("usual", STANDS, servers({ logsKeptMs: null })))).toBe("usual");
});

test("a volume that fills is told of, and at nine tenths the servers delete again", () => {
  expect(sentence(seen("held", STANDS, servers(HOLDS(830))), "ArchiveExpiring")).toBe(
    "The binary logs of mysql wait for the archive, and mysql-0 fills 83 % of its volume; from 90 % on the servers delete them: bring the archive back, or enlarge the volumes.",
  );
  expect(next(seen("held", STANDS, servers(HOLDS(899))))).toBe("held");
  expect(next(seen("held", STANDS, servers(HOLDS(900))))).toBe("pressed");
  const pressed = seen("pressed", STANDS, servers(HOLDS(900)));
  expect(set(pressed)).toEqual(["0: true", "1: true", "2: true"]);
  // Not held again before the archive goes on: it would only be pressed again.
  expect(next(seen("pressed", STANDS, servers(DELETES)))).toBe("pressed");
});

test("a server that does not say how much its logs are is not let to fill its volume", () => {
  expect(next(seen("held", STANDS, servers({ deletesLogs: false, storedBytes: null })))).toBe("pressed");
});

test("when it goes on they delete as before, and it is over once every one of them does", () => {
  for (const before of ["held", "pressed"] as const) expect(next(seen(before, GOES_ON))).toBe("resuming");
  const resuming = seen("resuming", GOES_ON, servers(HOLDS(1)));
  expect([next(resuming), set(resuming)]).toEqual(["resuming", ["0: true", "1: true", "2: true"]]);
  expect(next(seen("resuming", GOES_ON, servers(DELETES)))).toBe("usual");
  expect(next(seen("resuming", STANDS, servers(DELETES)))).toBe("held");
  const away: Change = (before) => ({
    ...before,
    members: before.members.map((one) =>
      one.ordinal === 2
        ? { ...one, server: { kind: "unreachable", reason: "no answer", closed: false } }
        : one,
    ),
  });
  expect(next(seen("resuming", GOES_ON, servers(DELETES), away))).toBe("resuming");
});

test("an archive that is no longer wanted is forgotten once the servers delete as before", () => {
  const without = (purging: Purging, ...more: readonly Change[]) =>
    seen(purging, STANDS, asking({ archive: false }), ...more);
  expect(recorded(without("held", servers(HOLDS(1))))?.archive).toMatchObject({ purging: "resuming" });
  expect(without("held").problems.filter(({ code }) => code.startsWith("Archive"))).toEqual([]);
  expect(recorded(without("resuming", servers(DELETES)))?.archive).toMatchObject({ purging: "usual" });
  expect(recorded(without("usual"))?.archive).toBeNull();
});
