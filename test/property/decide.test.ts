/** What no decision may ever do, whatever was seen (the numbers are those of docs/invariants.md). */
import fc from "fast-check";
import { expect, test } from "vitest";
import { LABEL } from "../../shared/annotations/keys.ts";
import { inputProblems } from "../../shared/decide/problems/input.ts";
import { viewMembers } from "../../shared/decide/situation.ts";
import type { Observed } from "../../shared/model/observed.ts";
import type { ServerFacts } from "../../shared/model/server.ts";
import type { Config } from "../../shared/model/state.ts";
import type { Track } from "../../shared/model/step.ts";
import { anyOperation } from "../support/any-operation.ts";
import { anySituation, oddSituation } from "../support/any-situation.ts";
import { carryOut, settled, stepsOf, stepsOfKind } from "../support/carry-out.ts";
import { placed, RULES } from "../support/situation.ts";
import {
  always,
  change,
  deciding,
  factsAt,
  recorded,
  SERVER_STEPS,
  serverSteps,
  underRecord,
} from "./decisions.ts";

test("it never throws, answers the same twice, and leaves its input alone", () => {
  always(
    (of, decision) => {
      const before = JSON.stringify(of);
      expect(deciding(of)).toEqual(decision);
      expect(JSON.stringify(of)).toBe(before);
      expect(JSON.parse(JSON.stringify(decision))).toEqual(decision);
    },
    fc.oneof(anySituation, oddSituation, anyOperation),
  );
});

test("INV-10: no server is touched without a valid record of this cluster", () => {
  always((of, decision) => {
    if (of.state.kind !== "valid" || of.state.state.clusterUid !== of.set.uid) {
      expect(serverSteps(decision)).toEqual([]);
    }
  });
});

test("INV-8: unusable input touches no server until something is established", () => {
  always((of, decision) => {
    const established = recorded(of)?.established ?? null;
    if (!of.wish.managed || established !== null) return;
    if (inputProblems(of).some((problem) => problem.blocks)) expect(serverSteps(decision)).toEqual([]);
  });
});

test("paused, nothing is changed but the report", () => {
  always((of, decision) => {
    if (of.wish.spec?.paused !== true) return;
    expect(stepsOf(decision).every((step) => step.kind === "Event" || step.kind === "Record")).toBe(true);
    expect(change(of, decision)).toBeNull();
  });
});

test("INV-9: who is seeded is blank, or has nothing that is not archived, and is counted on by nobody", () => {
  always((of, decision) => {
    const state = recorded(of);
    const config = state?.pending ?? state?.established;
    for (const { ordinal, donor, covered } of stepsOfKind(decision, "Seed")) {
      if (config === null || config === undefined) throw new Error("seeded without a configuration");
      expect(ordinal).not.toBe(config.primary.ordinal);
      expect(ordinal).not.toBe(donor);
      const view = viewMembers(RULES, of.members, config).find((member) => member.ordinal === ordinal);
      const { kind } = view?.standing ?? {};
      if (covered === null) {
        expect(kind).toBe("blank");
        continue;
      }
      const server = factsAt(of, ordinal);
      expect(RULES.positions.contains(covered, server?.received ?? "?")).toBe(true);
      const counted = [state?.established, state?.pending].flatMap((one) =>
        one == null ? [] : [one.primary, ...one.ackers],
      );
      expect(counted.map((one) => one.serverUuid)).not.toContain(server?.serverUuid);
      // Nothing of its own, nothing to keep.
      if (kind === "outdated") {
        expect(RULES.positions.contains(factsAt(of, config.primary.ordinal)?.executed ?? "", covered)).toBe(
          true,
        );
        continue;
      }
      expect(view?.standing).toMatchObject({ kind: "errant", archived: true });
      expect(state?.unproven).not.toContain(server?.serverUuid);
      const track = decision.tracks.find((steps) =>
        steps.some((step) => step.kind === "Seed" && step.ordinal === ordinal),
      );
      expect(
        track?.findIndex((step) => step.kind === "ArchiveTail" && step.ordinal === ordinal),
      ).toBeGreaterThan(-1);
    }
    const donors = stepsOfKind(decision, "Seed").map((step) => step.donor);
    expect(new Set(donors).size).toBe(donors.length);
  });
});

test("INV-2: at most one member is opened, the recorded one, after it was recorded as open", () => {
  always((of, decision) => {
    const opens = underRecord(of, decision, "Open");
    expect(opens.length).toBeLessThanOrEqual(1);
    for (const { step: open, state } of opens) {
      const pending = state?.pending;
      expect(pending?.open).toBe(true);
      expect(open).toMatchObject({ ordinal: pending?.primary.ordinal, epoch: state?.epoch });
      const server = of.members[open.ordinal]?.server;
      expect(server?.kind === "read" && server.facts.serverUuid).toBe(pending?.primary.serverUuid);
    }
  });
});

test("INV-2: opened by the plan of its election only once enough of its ackers were found to hold everything", () => {
  always((of, { finale }) => {
    const [confirm, record, ...after] = finale;
    if (confirm?.kind !== "Confirm") return;
    expect([record?.kind, after[0]?.kind]).toEqual(["Record", "Open"]);
    const pending = record?.kind === "Record" ? record.state?.pending : null;
    const [opened, ...holding] = confirm.members;
    const position = factsAt(of, pending?.primary.ordinal ?? -1)?.received;
    expect(opened).toMatchObject({ ordinal: pending?.primary.ordinal, closed: true, atMost: position });
    expect(holding).toHaveLength(pending?.ackCount ?? -1);
    for (const { ordinal, atLeast } of holding) {
      expect(atLeast).toBe(position);
      const uuid = factsAt(of, ordinal)?.serverUuid;
      expect(pending?.ackers).toContainEqual({ ordinal, serverUuid: uuid });
    }
  });
});

test("INV-2: only who is recorded is promoted or armed, and it is the very server", () => {
  always((of, decision) => {
    const promotions = underRecord(of, decision, "Promote");
    for (const { step, state } of [...promotions, ...underRecord(of, decision, "Arm")]) {
      const config = state?.pending ?? state?.established;
      expect(step.ordinal).toBe(config?.primary.ordinal);
      expect(factsAt(of, step.ordinal)?.serverUuid).toBe(config?.primary.serverUuid);
    }
    for (const { step, state } of promotions) expect(state?.pending?.primary.ordinal).toBe(step.ordinal);
  });
});

test("nobody is put out of service or cut from the primary before the epoch is claimed", () => {
  always((of, decision) => {
    const state = recorded(of);
    const claimed = change(of, decision)?.after ?? state;
    const config = claimed?.pending ?? claimed?.established;
    if (claimed?.phase === "Revoking" || config === undefined || config === null) return;
    // One that was elected and has not been promoted yet is closed again if somebody opened it by hand.
    const pending = claimed?.established === null ? null : claimed?.pending;
    const followed = pending != null && factsAt(of, pending.primary.ordinal)?.channel !== null;
    const elected = followed || pending?.open === false ? pending.primary.ordinal : undefined;
    for (const { ordinal } of stepsOfKind(decision, "Demote")) expect(ordinal).toBe(elected);
    // Whoever was the primary once and takes writes still is fenced in any epoch.
    for (const { ordinal } of stepsOfKind(decision, "Fence"))
      expect(ordinal).not.toBe(config.primary.ordinal);
    const selectors = stepsOfKind(decision, "EnsureService").map((step) => step.selector[LABEL.epoch]);
    expect(selectors).toEqual(selectors.map(() => String(claimed?.epoch)));
  });
});

test("a claim is recorded before the first step of its epoch", () => {
  always((of, decision) => {
    const written = change(of, decision);
    if (written?.before == null || written.after.epoch === written.before.epoch) return;
    expect(decision.prelude.at(-1)?.kind).toBe("Record");
    expect(decision.prelude.filter((step) => step.kind in SERVER_STEPS)).toEqual([]);
    expect(written.after.phase === "Revoking" || serverSteps(decision).length === 0).toBe(true);
  });
});

/** The recorded ackers that were read, whether they still receive or not. */
function readAckers(of: Observed, config: Config): readonly ServerFacts[] {
  return config.ackers.flatMap((acker) => {
    const server = factsAt(of, acker.ordinal);
    return server?.serverUuid === acker.serverUuid ? [server] : [];
  });
}

test("INV-1: who is elected holds everything that enough ackers, cut from the old primary, hold", () => {
  always((of, decision) => {
    const written = change(of, decision);
    if (written?.before?.phase !== "Revoking" || written.after.phase !== "Establishing") return;
    const { before, after } = written;
    // An older record that was put back is no election: it is put together again in a later epoch.
    if (before.epoch !== after.epoch) return;
    const config = before.pending ?? before.established;
    if (config == null || after.pending === null) throw new Error("elected without a configuration");
    if (before.op?.kind === "switchover" && after.pending.primary.ordinal === config.primary.ordinal) return;
    const cut = readAckers(of, config).filter(
      ({ channel }) => channel === null || channel.receiver === "off",
    );
    const primary = factsAt(of, config.primary.ordinal);
    // What somebody wrote by hand on a server that never was the primary is no commit of this cluster.
    const remembered = of.members.flatMap(({ ordinal }) => factsAt(of, ordinal)?.terms ?? []);
    const primaries = [config.primary, ...remembered].map(({ serverUuid }) => serverUuid);
    const ofCluster = (lacking: string) =>
      primaries.some((uuid) => RULES.positions.without(lacking, uuid) !== lacking);
    // What it lost, it does not speak for; with its own term row it has all that came before.
    const ownTerm =
      primary?.terms.toSorted((a, b) => b.epoch - a.epoch)[0]?.serverUuid === primary?.serverUuid;
    const whole = readAckers(of, config).every(({ received }) => {
      const lost = RULES.positions.subtract(received, primary?.received ?? "");
      return ownTerm ? RULES.positions.without(lost, config.primary.serverUuid) === lost : !ofCluster(lost);
    });
    const same = primary !== null && primary.serverUuid === config.primary.serverUuid;
    const final = same && primary.readOnly && primary.acks.waiters === 0 && whole;
    const enough = final || cut.length >= config.ackers.length - config.ackCount + 1;
    expect(enough || of.wish.spec?.lossAcceptedEpoch === before.epoch).toBe(true);
    const elected = factsAt(of, after.pending.primary.ordinal);
    expect(elected?.serverUuid).toBe(after.pending.primary.serverUuid);
    const voters = final ? [primary, ...cut] : cut;
    // Whoever has the newest term row, the old primary's, has all that was acknowledged before it.
    const newest = Math.max(...voters.flatMap(({ terms }) => terms.map(({ epoch }) => epoch)));
    const rows = voters.flatMap(({ terms }) => terms.filter(({ epoch }) => epoch === newest));
    const proven = enough && rows[0]?.serverUuid === config.primary.serverUuid;
    const had = voters
      .filter(({ terms }) => terms.some(({ epoch }) => epoch === newest))
      .map(({ received }) => received);
    for (const voter of voters) {
      const lacking = RULES.positions.subtract(voter.received, elected?.received ?? "");
      const own = RULES.positions.without(lacking, config.primary.serverUuid) !== lacking;
      const left = RULES.positions.without(lacking, config.primary.serverUuid);
      const neverHad = had.every((position) => RULES.positions.subtract(left, position) === left);
      expect(ofCluster(lacking) && (own || !proven || !neverHad)).toBe(false);
    }
  });
});

test("INV-4: the epoch grows by one, every write counts one, and a second one only ends what the first began", () => {
  always((of, decision) => {
    const [first, ...others] = stepsOfKind(decision, "Record");
    expect(stepsOfKind({ ...decision, finale: [] }, "Record")).toEqual(first === undefined ? [] : [first]);
    for (const { state } of others) {
      const { seq, pending, established } = first?.state ?? {};
      const same = { ...first?.state, seq: (seq ?? 0) + 1 };
      const ackCount = state?.established?.ackCount;
      if (pending === null) expect(state).toEqual({ ...same, established: { ...established, ackCount } });
      else expect(state).toEqual({ ...same, pending: { ...pending, open: true } });
    }
    const written = change(of, decision);
    if (written === null) return;
    expect(written.after.seq).toBe((written.before?.seq ?? 0) + 1);
    const { before, after } = written;
    expect(after.epoch).toBeGreaterThanOrEqual(before?.epoch ?? 0);
    const seen = of.members.flatMap((member) => factsAt(of, member.ordinal)?.terms ?? []);
    const anew = before === null || before.phase === "Released" || after.op?.kind === "reconstruct";
    if (anew && after.epoch !== before?.epoch)
      for (const term of seen) expect(after.epoch).toBeGreaterThan(term.epoch);
    if (!anew) expect([0, 1]).toContain(after.epoch - (before?.epoch ?? 0));
  });
});

function routing(tracks: readonly Track[], opened: boolean) {
  const steps = tracks.flatMap((track) => {
    const at = track.findIndex(({ kind }) => kind === "Open");
    return at === -1 || opened ? track : track.slice(0, at);
  });
  const pods = steps.flatMap((step) => (step.kind === "LabelPod" && step.labels[LABEL.role] ? [step] : []));
  const selectors = steps.flatMap((step) => (step.kind === "EnsureService" ? [step.selector] : []));
  return { pods, selectors: selectors.filter((selector) => selector[LABEL.epoch] !== "none") };
}

test("INV-7: nobody is routed to but the established primary, in the epoch in which it was established", () => {
  always((of, decision) => {
    const state = change(of, decision)?.after ?? recorded(of);
    const plans = [decision.prelude, ...decision.tracks, decision.finale];
    // Where the primary is about to be established, only what follows its being opened may lead to it.
    const steady = state?.phase === "Steady" && state.established !== null;
    if (!steady) expect(routing(plans, false)).toEqual({ pods: [], selectors: [] });
    const config = state?.pending ?? state?.established;
    const { pods, selectors } = routing(plans, true);
    for (const { pod } of pods.filter(({ labels }) => labels[LABEL.role] === "primary")) {
      expect(pod).toBe(of.members[config?.primary.ordinal ?? -1]?.podName);
    }
    for (const selector of selectors) expect(selector[LABEL.epoch]).toBe(String(state?.epoch));
  });
});

test("what was told is not told again", () => {
  always((of, decision) => {
    if (change(of, decision) !== null || decision.conditions.length === 0 || !of.wish.managed) return;
    // Where its replicas lose the primary long after us, the clock of its silence begins anew with the second look.
    const known = of.conditions.map((condition) => condition.type);
    if (known.includes("PrimaryCutOff") && known.includes("PrimaryUnreachable")) return;
    const told = carryOut(of, { ...decision, tracks: [], finale: [] });
    const again = deciding(told);
    expect(again.prelude).toEqual([]);
    expect(again.conditions.map((condition) => condition.type)).toEqual(
      told.conditions.map((condition) => condition.type),
    );
  });
});

test("a settled cluster gets an empty decision, whatever its size", () => {
  for (let replicas = 1; replicas <= 9; replicas += 1) {
    expect(stepsOf(deciding(settled(placed(replicas))))).toEqual([]);
  }
});
