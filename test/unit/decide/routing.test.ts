/** Who is reached through which Service, and what a Pod says of its server. */
import { describe, expect, test } from "vitest";
import { ANNOTATION, LABEL } from "../../../shared/annotations/keys.ts";
import { decodeMemberRecord } from "../../../shared/annotations/member.ts";
import type { ServiceObservation } from "../../../shared/model/observed.ts";
import { settled, stepsOfKind } from "../../support/carry-out.ts";
import {
  but,
  type Change,
  config,
  facts,
  member,
  NOW_MS,
  newUuidOf,
  onPod,
  placed,
  podless,
  replicaFacts,
  server,
  silent,
  state,
  steadyState,
  uuidOf,
  written,
} from "../../support/situation.ts";
import { deciding, replica, term } from "./support.ts";

const before = settled(placed(3));
/** mysql-2 is counted on no more. */
const lone = state(steadyState(3, { established: config(3, { ackers: config(3).ackers.slice(0, 1) }) }));

function labelling(ordinal: number, ...changes: readonly Change[]) {
  return stepsOfKind(deciding(before, ...changes), "LabelPod").find(({ pod }) => pod === `mysql-${ordinal}`);
}

function recordOf(ordinal: number, ...changes: readonly Change[]) {
  return decodeMemberRecord(labelling(ordinal, ...changes)?.annotations[ANNOTATION.member] ?? undefined);
}

function labelled(ordinal: number, labels: Readonly<Record<string, string>>): Change {
  return onPod(ordinal, (pod) => ({ ...pod, labels: { ...pod.labels, ...labels } }));
}

function lagging(ms: number): Change {
  return replica(2, { executed: written(90), received: written(100), applyingSinceMs: NOW_MS - ms });
}

describe("a Pod says of its server", () => {
  const own = `${written(100)},\n${uuidOf(2)}:1-3`;
  const running = { kind: "running", bytes: 3, bytesExpected: 100, error: null } as const;
  const table: readonly (readonly [string, Change])[] = [
    ["timeout", silent(2)],
    ["being seeded", server(2, facts(2, { seeding: running }))],
    ["holds data that the primary lacks", server(2, facts(2, { survey: { schemas: ["crm"] } }))],
    ["has transactions of its own", replica(2, { executed: own, received: own })],
    [
      "was the primary before and is put out of service",
      replica(2, { readOnly: false, terms: [term(1, 2)] }),
    ],
    ["e".repeat(160), replica(2, {}, { applierError: "e".repeat(161) })],
    ["empty, to be seeded", server(2, facts(2))],
    ["not following yet", server(2, replicaFacts(2, { channel: null }))],
  ];
  test.each(table)("%s", (note, change) => {
    const record = recordOf(2, lone, change);
    expect(record).toMatchObject({ note, lagMs: null, at: new Date(NOW_MS).toISOString() });
    expect(record?.role).toBe(note === "timeout" ? "replica" : "none");
  });

  test("who it is, whether it acknowledges, and how far it is behind", () => {
    expect(recordOf(2, lagging(3_000))).toMatchObject({
      ...{ role: "replica", note: "", serverUuid: uuidOf(2), version: "9.7.4", lagMs: 3_000, acks: true },
    });
    expect(recordOf(1, replica(1, { version: "9.8.0" }))).toMatchObject({ acks: true, version: "9.8.0" });
    const quiet = { ...replicaFacts(1).acks, active: false };
    expect(recordOf(1, replica(1, { acks: quiet }))).toMatchObject({ acks: false });
    expect(recordOf(2, silent(2))).toMatchObject({ serverUuid: null, version: null, acks: false });
  });

  test("that another server stands in the primary's place", () => {
    const replaced = server(0, facts(0, { serverUuid: newUuidOf(0) }));
    expect(recordOf(0, replaced, silent(1), silent(2))).toMatchObject({
      ...{ role: "primary", note: "its volume was replaced by an empty or foreign one", serverUuid: null },
    });
  });

  test("only what is new: a label or a record", () => {
    expect(labelling(1)).toBeUndefined();
    expect(labelling(1, labelled(1, { [LABEL.epoch]: "0" }))).toMatchObject({
      labels: { [LABEL.epoch]: "1" },
      annotations: {},
      seen: { uid: "uid-pod-1", resourceVersion: "5" },
    });
    expect(labelling(2, lagging(3_000))?.labels).toEqual({});
    expect(labelling(2, podless(2))).toBeUndefined();
  });
});

describe("reads are served by", () => {
  const role = (...changes: readonly Change[]) => labelling(2, ...changes)?.labels[LABEL.role];
  const away = labelled(2, { [LABEL.role]: "none" });

  test("a replica up to the limit, which comes back at half of it", () => {
    expect([role(lagging(10_000)), role(lagging(10_001))]).toEqual([undefined, null]);
    expect([role(away, lagging(5_000)), role(away, lagging(5_001))]).toEqual(["replica", null]);
  });

  test("whoever served them before it stopped answering us, and by nobody new", () => {
    expect(role(silent(2))).toBeUndefined();
    expect(role(silent(2), away)).toBeNull();
    expect(labelling(2, silent(2), away)?.labels[LABEL.epoch]).toBeNull();
  });

  test("nobody whose applier stands, also while there is no primary to compare with", () => {
    const standing = replica(2, {}, { receiver: "connecting", applier: "off" });
    const away = [silent(0), replica(1, {}, { receiver: "connecting" })];
    expect(role(...away, standing)).toBeNull();
    expect(role(...away, replica(2, {}, { receiver: "connecting" }))).toBeUndefined();
  });

  test("nobody who bears the label of a primary without being it", () => {
    expect(role(silent(2), labelled(2, { [LABEL.role]: "primary" }))).toBeNull();
    expect(labelling(0, silent(0))?.labels).toEqual({});
  });
});

describe("a Service", () => {
  const published = (role: "primary" | "replicas", seen: (of: ServiceObservation) => ServiceObservation) => {
    const services = { ...before.services, [role]: seen(before.services[role]) };
    return stepsOfKind(deciding(before, but({ services })), "EnsureService");
  };
  const selecting =
    (change: (selector: Readonly<Record<string, string>>) => Record<string, string>) =>
    (of: ServiceObservation): ServiceObservation =>
      of.kind === "found" ? { ...of, service: { ...of.service, selector: change(of.service.selector) } } : of;

  test.each([
    ["primary", "mysql-primary", "primary"],
    ["replicas", "mysql-replicas", "replica"],
  ] as const)("of the %s is made, or set right, by its selector of role and epoch", (key, name, role) => {
    const selector = { app: "mysql", [LABEL.role]: role, [LABEL.epoch]: "1" };
    expect(published(key, (of) => of)).toEqual([]);
    expect(published(key, () => ({ kind: "missing" }))).toMatchObject([{ name, seen: null, selector }]);
    const seen = { uid: "uid-set", resourceVersion: "10" };
    for (const wrong of [
      (of: object) => ({ ...of, [LABEL.epoch]: "0" }),
      (of: object) => ({ ...of, more: "1" }),
      () => ({ app: "mysql" }),
    ]) {
      expect(published(key, selecting(wrong))).toMatchObject([{ name, seen, selector }]);
    }
  });

  test("of somebody else is left alone", () => {
    for (const key of ["primary", "replicas"] as const) {
      expect(published(key, () => ({ kind: "taken" }))).toEqual([]);
    }
  });
});

describe("a volume claim", () => {
  const witnessed = (...changes: readonly Change[]) =>
    stepsOfKind(deciding(before, lone, ...changes), "AnnotateClaim");

  test("learns only what is new of the server on it", () => {
    expect(witnessed(server(2, facts(2, { serverUuid: newUuidOf(2) })))).toMatchObject([
      { claim: "data-mysql-2", annotations: { [ANNOTATION.serverUuid]: newUuidOf(2) } },
    ]);
    const [step] = witnessed(server(2, facts(2, { serverUuid: newUuidOf(2) })));
    expect(Object.keys(step?.annotations ?? {})).toEqual([ANNOTATION.serverUuid]);
  });

  test("learns nothing of a server that is away, or holds another's data, nor where there is none", () => {
    expect(witnessed(silent(2))).toEqual([]);
    const foreign = facts(2, { serverUuid: newUuidOf(2), survey: { schemas: ["crm"] } });
    expect(witnessed(server(2, foreign))).toEqual([]);
    const bare = member(2, (of) => ({ ...of, claim: null }));
    expect(witnessed(bare, server(2, facts(2, { serverUuid: newUuidOf(2) })))).toEqual([]);
  });
});
