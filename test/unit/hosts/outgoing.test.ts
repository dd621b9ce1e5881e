/** What others are told as CloudEvents: all that stands recorded, once under one id, and never at the cost of a pass. */

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { encodeHistory } from "../../../shared/annotations/history.ts";
import { ANNOTATION } from "../../../shared/annotations/keys.ts";
import { encodeState } from "../../../shared/annotations/state.ts";
import { releasedState } from "../../../shared/decide/plan/release.ts";
import { type Announcer, createAnnouncer } from "../../../shared/hosts/outgoing/announcer.ts";
import { OUTGOING_TYPES, type OutgoingEvent } from "../../../shared/hosts/outgoing/news.ts";
import { createSink } from "../../../shared/hosts/outgoing/sink.ts";
import type { StatefulSet } from "../../../shared/model/kube.ts";
import { createSimKube, type SimKube } from "../../sim/kube/api-server.ts";
import { modelOf } from "../../sim/kube/watching.ts";
import { steadyState } from "../../support/situation.ts";
import { createSteppedClock, type SteppedClock } from "../../support/stepped-clock.ts";

const REF = { namespace: "shop", name: "mysql" };
const AT = "2026-11-23T07:00:00.000Z";
const entry = (reason: string, epoch: number) => ({
  at: AT,
  epoch,
  reason,
  why: `${reason}.`,
  considered: [],
});
const ready = (status: string, lastTransitionAt = AT) => ({
  ...{ type: "Ready", status, reason: "Steady", message: "3 of 3 members.", observedGeneration: 1 },
  lastTransitionAt,
});
const overdue = { ...ready("True"), type: "BackupOverdue", reason: "BackupOverdue" };

let clock: SteppedClock;
let sim: SimKube;
let taken: OutgoingEvent[];
let answers: (number | null)[];
let attempts: number;
let warnings: string[];

beforeEach(() => {
  clock = createSteppedClock();
  sim = createSimKube(clock);
  [taken, answers, attempts, warnings] = [[], [], 0, []];
  sim.put("StatefulSet", REF, {
    metadata: { annotations: { [ANNOTATION.engine]: "mysql" } },
    spec: { replicas: 3, selector: {}, template: { spec: { containers: [] } } },
  });
});

const record = (annotations: Readonly<Record<string, string | null>>) =>
  void sim.put("StatefulSet", REF, { metadata: { annotations } });
const history = (...entries: readonly ReturnType<typeof entry>[]) =>
  record({ [ANNOTATION.history]: encodeHistory(entries) });
const conditions = (...all: readonly object[]) => record({ [ANNOTATION.conditions]: JSON.stringify(all) });
const set = (): StatefulSet => modelOf("StatefulSet", sim.raw("StatefulSet", REF) ?? {});

/** One of a process that has just been started. */
function announcer(): Announcer {
  return createAnnouncer({
    kube: sim.kube,
    clock,
    log: {
      info: () => undefined,
      warn: (message, fields) => void warnings.push(`${message} ${JSON.stringify(fields)}`),
    },
    send: (event) => {
      attempts += 1;
      const answer = answers.length === 0 ? 202 : (answers.shift() ?? null);
      if (answer === 202) taken.push(event);
      return Promise.resolve(answer);
    },
  });
}

async function look(one: Announcer = announcer()): Promise<readonly string[]> {
  const before = taken.length;
  one.look([set()]);
  await clock.settle();
  return taken.slice(before).map(({ type }) => type);
}

const FAILOVER = [entry("FailoverStarted", 2), entry("PrimaryElected", 2), entry("FailoverCompleted", 2)];

describe("what was done", () => {
  test("is told in the order of the history, and by another process not again", async () => {
    history(entry("AdoptionStarted", 0), entry("AdoptionCompleted", 1));
    expect(await look()).toEqual(["dev.ordinal.adoption.started", "dev.ordinal.adoption.completed"]);
    history(entry("AdoptionStarted", 0), entry("AdoptionCompleted", 1), ...FAILOVER);
    expect(await look()).toEqual([
      "dev.ordinal.failover.started",
      "dev.ordinal.primary.elected",
      "dev.ordinal.failover.completed",
    ]);
    expect(await look()).toEqual([]);
    expect(taken.at(-1)).toEqual({
      specversion: "1.0",
      id: expect.stringMatching(/^[0-9a-f]{16}$/),
      source: "/apis/apps/v1/namespaces/shop/statefulsets/mysql",
      type: "dev.ordinal.failover.completed",
      subject: "shop/mysql",
      time: AT,
      data: { ...REF, uid: set().uid, reason: "FailoverCompleted", epoch: 2, message: "FailoverCompleted." },
    });
  });

  test("is told though the history has let go of what was told last", async () => {
    history(...FAILOVER);
    await look();
    history(entry("SwitchoverCompleted", 3));
    expect(await look()).toEqual(["dev.ordinal.switchover.completed"]);
  });

  test("is told with another id for another epoch", async () => {
    history(entry("FailoverCompleted", 2), entry("FailoverCompleted", 3));
    await look();
    expect(new Set(taken.map(({ id }) => id)).size).toBe(2);
  });

  test("to backups and proofs by their slots", async () => {
    record({ [ANNOTATION.lastBackup]: "2026-11-23T03:00:00Z" });
    expect(await look()).toEqual(["dev.ordinal.backup.completed"]);
    record({
      [ANNOTATION.lastBackup]: "2026-11-24T03:00:00Z",
      [ANNOTATION.lastProven]: "2026-11-23T03:00:00Z",
    });
    expect(await look()).toEqual(["dev.ordinal.backup.completed", "dev.ordinal.backup.proven"]);
    expect(taken.map(({ data }) => data["slot"])).toEqual([
      "2026-11-23T03:00:00Z",
      "2026-11-24T03:00:00Z",
      "2026-11-23T03:00:00Z",
    ]);
  });

  test("is told of one that was let go of too", async () => {
    history(entry("Released", 2));
    const uid = set().uid;
    const released = releasedState(steadyState(3, { clusterUid: uid }));
    record({ [ANNOTATION.engine]: null, [ANNOTATION.state]: encodeState(released) });
    expect(await look()).toEqual(["dev.ordinal.released"]);
    expect(await look()).toEqual([]);
  });

  test("of a set that is not ours is nobody's business", async () => {
    history(...FAILOVER);
    record({ [ANNOTATION.engine]: null });
    expect(await look()).toEqual([]);
    // What was copied from another one is not its own.
    record({ [ANNOTATION.state]: encodeState(steadyState(3, { clusterUid: "another" })) });
    expect(await look()).toEqual([]);
  });
});

describe("a condition", () => {
  test("is told when it comes, changes and goes, and not when only its words differ", async () => {
    conditions(ready("True"));
    await look();
    conditions({ ...ready("True"), message: "2 of 3 members." }, overdue);
    await look();
    conditions(ready("False", "2026-11-23T08:00:00.000Z"));
    await look();
    expect(taken.map(({ data }) => data["condition"])).toMatchObject([
      { type: "Ready", status: "True" },
      { type: "BackupOverdue", status: "True" },
      { type: "Ready", status: "False" },
      { type: "BackupOverdue", status: "False", reason: "Gone" },
    ]);
    expect(new Set(taken.map(({ id }) => id)).size).toBe(4);
    expect(await look()).toEqual([]);
  });
});

describe("a place that does not take them", () => {
  test("is asked three times, then left alone for a while, and gets the same events later", async () => {
    history(...FAILOVER);
    answers = [null, 503, 503];
    const one = announcer();
    one.look([set()]);
    await clock.advance(2_000);
    expect([attempts, taken]).toEqual([3, []]);
    await look(one);
    expect(attempts).toBe(3);
    await clock.advance(1_000);
    expect(await look(one)).toHaveLength(3);
    expect(warnings).toEqual([expect.stringContaining("CloudEvents are not taken")]);
  });

  test("goes on where it stopped, with the ids that it would have had", async () => {
    history(...FAILOVER);
    answers = [202, null, null, null];
    const one = announcer();
    one.look([set()]);
    await clock.advance(2_000);
    expect(taken).toHaveLength(1);
    expect(await look()).toEqual(["dev.ordinal.primary.elected", "dev.ordinal.failover.completed"]);
    const ids = taken.map(({ id }) => id);
    taken.splice(0);
    record({ [ANNOTATION.announced]: "what somebody has written there" });
    await look();
    expect(taken.map(({ id }) => id)).toEqual(ids);
  });

  test("for a reason that will not go away loses that event alone, and it is said", async () => {
    history(...FAILOVER);
    answers = [202, 400];
    expect(await look()).toEqual(["dev.ordinal.failover.started", "dev.ordinal.failover.completed"]);
    expect(warnings).toEqual([expect.stringContaining("dev.ordinal.primary.elected")]);
    expect(await look()).toEqual([]);
  });

  test("holds up nobody: a look returns before anything was sent", () => {
    history(...FAILOVER);
    announcer().look([set()]);
    expect(attempts).toBeLessThanOrEqual(1);
    expect(set().annotations[ANNOTATION.announced]).toBeUndefined();
  });
});

describe("the sink", () => {
  const EVENT: OutgoingEvent = {
    ...{
      specversion: "1.0",
      id: "1",
      source: "/s",
      type: "dev.ordinal.released",
      subject: "shop/mysql",
      data: {},
    },
  };

  async function serve(status: number, headers: Readonly<Record<string, string>> = {}) {
    const seen: { readonly type: string | undefined; readonly body: string }[] = [];
    const server = createServer((request, response) => {
      void text(request).then((body) => {
        seen.push({ type: request.headers["content-type"], body });
        response.writeHead(status, headers).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    return { seen, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?token=secret` };
  }

  test("gets an event in structured mode", async () => {
    const { seen, url } = await serve(202);
    expect(await createSink(url)(EVENT)).toBe(202);
    expect(seen.map(({ type }) => type)).toEqual(["application/cloudevents+json; charset=utf-8"]);
    const told = { ...EVENT, datacontenttype: "application/json" };
    // What has no moment of its own is told with that of the telling.
    expect(JSON.parse(seen[0]?.body ?? "")).toEqual({ ...told, time: expect.stringMatching(/^2\d{3}-.*Z$/) });
    await createSink(url)({ ...EVENT, time: AT });
    expect(JSON.parse(seen[1]?.body ?? "")).toEqual({ ...told, time: AT });
  });

  test("is not left for where it points to", async () => {
    const elsewhere = await serve(202);
    const { url } = await serve(307, { location: elsewhere.url });
    expect(await createSink(url)(EVENT)).toBe(307);
    expect(elsewhere.seen).toEqual([]);
  });

  test("that nobody is at answers nothing, and one that is no address is refused without being quoted", async () => {
    expect(await createSink("http://127.0.0.1:1/")(EVENT)).toBeNull();
    for (const address of ["ftp://secret@h/", "secret"])
      expect(() => createSink(address)).toThrow(
        /^K_SINK is no http or https address: correct it, or take it away$/,
      );
  });
});

test("docs/cloudevents.md lists every type that is sent, and no other", () => {
  const page = readFileSync(new URL("../../../docs/cloudevents.md", import.meta.url), "utf8");
  const rows = [...page.matchAll(/^\| `(dev\.ordinal\.[a-z.]+)`/gm)].map(([, type]) => type);
  expect(rows).toEqual(OUTGOING_TYPES);
});
