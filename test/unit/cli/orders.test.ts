/** Verbs that ask for something: what they write, what they wait for, and how they end. */
import { describe, expect, test } from "vitest";
import { encodeConditions } from "../../../shared/annotations/conditions.ts";
import { ANNOTATION } from "../../../shared/annotations/keys.ts";
import { run } from "../../../shared/cli/program.ts";
import type { StatefulSet } from "../../../shared/model/kube.ts";
import { fail, type Outcome, succeed } from "../../../shared/model/outcome.ts";
import type { Kube, Patch } from "../../../shared/ports/kube.ts";
import { condition } from "../annotations/support.ts";
import { healthy, NO_SERVERS, NOW } from "./support.ts";

interface Told {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
  readonly patches: readonly Patch[];
}

type World = (set: StatefulSet, spentMs: number) => StatefulSet;

/** Runs a verb against a cluster that changes with time as `world` says. */
async function verb(args: readonly string[], world: World = (set) => set): Promise<Told> {
  let nowMs = Date.parse(NOW);
  let set: StatefulSet = healthy;
  let [out, err] = ["", ""];
  const patches: Patch[] = [];
  const seen = () => world(set, nowMs - Date.parse(NOW));
  const kube = {
    read: async (_kind: string, ref: { readonly name: string }): Promise<Outcome<StatefulSet>> =>
      ref.name === set.name ? succeed(seen()) : fail("gone", "not found"),
    list: async () => succeed([]),
    patch: async (_kind: string, _ref: object, patch: Patch): Promise<Outcome<StatefulSet>> => {
      patches.push(patch);
      const annotations = Object.entries({ ...set.annotations, ...patch.annotations });
      set = {
        ...set,
        annotations: Object.fromEntries(annotations.filter(([, value]) => value !== null)) as never,
      };
      return succeed(set);
    },
  };
  const exitCode = await run(args, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    colour: false,
    clock: {
      now: () => nowMs,
      sleep: async (ms) => {
        nowMs += ms;
      },
    },
    connect: () => ({ kube: kube as unknown as Kube, servers: NO_SERVERS, namespace: "shop", close() {} }),
  });
  return { exitCode, out, err, patches };
}

const phase = (set: StatefulSet, word: string): StatefulSet => ({
  ...set,
  annotations: { ...set.annotations, [ANNOTATION.phase]: word },
});

describe("scale", () => {
  test("writes the wish and says so", async () => {
    const { exitCode, out, patches } = await verb(["scale", "mysql", "--replicas", "5"]);
    expect(patches).toEqual([{ uid: "uid-mysql", annotations: { "ordinal.dev/replicas": "5" } }]);
    expect([exitCode, out]).toEqual([0, "shop/mysql is to have 5 members.\n"]);
  });

  test("waits until the members are there, and says every ten seconds how it is", async () => {
    const growing: World = (set, spentMs) =>
      phase({ ...set, replicas: spentMs < 2_000 ? 3 : 5 }, spentMs < 15_000 ? "Scaling" : "Healthy");
    const { exitCode, out, err } = await verb(["scale", "mysql", "--replicas", "5", "--wait"], growing);
    expect([exitCode, out]).toEqual([0, "Done in 15.0 s.\n"]);
    expect(err).toBe("shop/mysql is to have 5 members.\n10 s: Scaling\n");
  });

  test("that stands in the way of something ends with 2 and the reason, not with that of an earlier wish", async () => {
    const refused = condition({
      ...{ type: "ScaleRefused", reason: "ScaleRefused" },
      message: "mysql keeps 3 members: too few follow.",
    });
    const blocked: World = (set) => ({
      ...set,
      annotations: { ...set.annotations, [ANNOTATION.conditions]: encodeConditions([refused]) },
    });
    const { exitCode, err } = await verb(["scale", "mysql", "--replicas", "1", "--wait"], blocked);
    expect(exitCode).toBe(2);
    expect(err).toContain("mysql keeps 3 members: too few follow.");
  });

  test("ends with 3 when it takes too long, and says how to follow it", async () => {
    const { exitCode, err } = await verb(["scale", "mysql", "--replicas", "5", "--wait", "--timeout", "30s"]);
    expect(exitCode).toBe(3);
    expect(err).toContain(
      "Not done within 30 s; it goes on. Follow it with: kubectl ordinal status mysql -n shop",
    );
  });

  test.each([
    [["scale", "mysql"], "required option"],
    [["scale", "mysql", "--replicas", "0"], "Write a whole number from 1 to 33."],
    [["scale", "mysql", "--replicas", "many"], "Write a whole number from 1 to 33."],
    [["scale", "mysql", "--replicas", "5", "--timeout", "soon"], "Write a whole number with s, m or h"],
    [["scale", "nobody", "--replicas", "5"], "There is no StatefulSet nobody"],
  ])("%j is refused and writes nothing", async (args, message) => {
    const { exitCode, err, patches } = await verb(args);
    expect([exitCode, patches]).toEqual([2, []]);
    expect(err).toContain(message);
  });
});

describe("switchover", () => {
  test("asks for the named member", async () => {
    const { exitCode, out, patches } = await verb(["switchover", "shop/mysql", "--to", "mysql-2"]);
    expect(patches).toEqual([{ uid: "uid-mysql", annotations: { "ordinal.dev/switchover-to": "mysql-2" } }]);
    expect([exitCode, out]).toEqual([0, "mysql-2 is to be the primary of shop/mysql.\n"]);
  });

  test("does not take what is no name of a pod", async () => {
    const { exitCode, err, patches } = await verb(["switchover", "mysql", "--to", "mysql 2; DROP"]);
    expect([exitCode, patches]).toEqual([2, []]);
    expect(err).toContain("--to must be the name of a pod");
  });
});

test("pause and resume write and take away one annotation", async () => {
  const paused = await verb(["pause", "mysql"]);
  expect(paused.patches[0]?.annotations).toEqual({ "ordinal.dev/pause": "true" });
  expect(paused.out).toContain("is paused: Ordinal looks and changes nothing, failovers included.");
  const resumed = await verb(["resume", "mysql"]);
  expect(resumed.patches[0]?.annotations).toEqual({ "ordinal.dev/pause": null });
  expect(resumed.out).toBe("shop/mysql goes on.\n");
});
