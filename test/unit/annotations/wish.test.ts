/** What a user may write, what is said about anything else, and that none of it gets into a spec. */
import { describe, expect, test } from "vitest";
import { ANNOTATION, KEYS } from "../../../shared/annotations/keys.ts";
import { parseWish } from "../../../shared/annotations/wish.ts";
import { isName, isPlainSentence, MALFORMED } from "../../support/hostile.ts";
import { setWith } from "./support.ts";

const asked = { [ANNOTATION.engine]: "mysql", [ANNOTATION.credentials]: "mysql-root" };

function wish(annotations: Readonly<Record<string, string>>) {
  return parseWish(setWith(annotations));
}

function messages(annotations: Readonly<Record<string, string>>): string[] {
  return wish(annotations).problems.map((one) => `${one.code}: ${one.message}`);
}

describe("what was asked for", () => {
  test("nothing: not managed, and nobody else's annotation is anybody's business", () => {
    const annotations = { "example.com/ordinal.dev": "x", "ordinal.dev": "y", "my.ordinal.dev/engine": "z" };
    expect(wish(annotations)).toEqual({
      managed: false,
      spec: null,
      problems: [],
      servicesOnRelease: "keep",
    });
  });

  test("engine and credentials, with the defaults of the rest", () => {
    expect(wish(asked)).toEqual({
      managed: true,
      spec: {
        engine: "mysql",
        credentials: "mysql-root",
        maxLagMs: 10_000,
        paused: false,
        failover: "auto",
        failoverCooldownMs: 600_000,
        gracefulWaitMs: 60_000,
        onRestart: "wait",
        replicas: null,
        switchoverTo: null,
        approvedEpoch: null,
        lossAcceptedEpoch: null,
        backup: null,
        restore: null,
        restoreUndo: null,
        restoreForget: null,
      },
      problems: [],
      servicesOnRelease: "keep",
    });
  });

  test("everything", () => {
    const all = {
      ...asked,
      [ANNOTATION.maxLag]: "2m",
      [ANNOTATION.pause]: "true",
      [ANNOTATION.failover]: "manual",
      [ANNOTATION.failoverCooldown]: "0",
      [ANNOTATION.gracefulWait]: "5s",
      [ANNOTATION.onRestart]: "resume",
      [ANNOTATION.replicas]: "5",
      [ANNOTATION.switchoverTo]: "mysql-2",
      [ANNOTATION.approve]: "e17",
      [ANNOTATION.acceptDataLoss]: "e18",
      [ANNOTATION.servicesOnRelease]: "remove",
    };
    expect(wish(all)).toMatchObject({
      spec: {
        maxLagMs: 120_000,
        paused: true,
        failover: "manual",
        failoverCooldownMs: 0,
        gracefulWaitMs: 5_000,
        onRestart: "resume",
        replicas: 5,
        switchoverTo: "mysql-2",
        approvedEpoch: 17,
        lossAcceptedEpoch: 18,
      },
      problems: [],
      servicesOnRelease: "remove",
    });
  });

  test.each([
    ["1s", 1000],
    ["1000ms", 1000],
    ["90s", 90_000],
    ["24h", 86_400_000],
    ["1440m", 86_400_000],
  ])("max-lag %s", (text, maxLagMs) => {
    expect(wish({ ...asked, [ANNOTATION.maxLag]: text }).spec?.maxLagMs).toBe(maxLagMs);
  });

  test.each(["a", "a.b", "0", "db-root.prod", "a".repeat(253)])("credentials %s", (credentials) => {
    expect(wish({ ...asked, [ANNOTATION.credentials]: credentials }).spec?.credentials).toBe(credentials);
  });

  test("Ordinal's own annotations are known", () => {
    const own = Object.values(KEYS).filter(
      (key) => key.writer === "controller" && key.objects.includes("StatefulSet"),
    );
    const written = Object.fromEntries(
      own.filter((key) => key.where === "annotation").map(({ key }) => [key, "x"]),
    );
    expect(wish({ ...asked, ...written }).problems).toEqual([]);
  });
});

describe("at the limits", () => {
  const specOf = (annotations: Readonly<Record<string, string>>) => wish({ ...asked, ...annotations }).spec;

  test("names of up to 253 characters, epochs of up to nine digits, members of up to 33", () => {
    const name = "x".repeat(253);
    const long = { [ANNOTATION.credentials]: name, [ANNOTATION.switchoverTo]: name };
    expect(specOf(long)).toMatchObject({ credentials: name, switchoverTo: name });
    const longer = { [ANNOTATION.credentials]: `${name}x`, [ANNOTATION.switchoverTo]: `${name}x` };
    expect(messages({ ...asked, ...longer })).toHaveLength(2);
    expect(specOf({ [ANNOTATION.approve]: "e123456789" })?.approvedEpoch).toBe(123_456_789);
    expect(specOf({ [ANNOTATION.replicas]: "33" })?.replicas).toBe(33);
    for (const wrong of ["0", "01", "-1", "1.5", "5 ", "100"])
      expect(specOf({ [ANNOTATION.replicas]: wrong })?.replicas).toBeNull();
  });

  test("a value of exactly so many bytes is read, though it may be wrong in another way", () => {
    expect(messages({ ...asked, [ANNOTATION.pause]: "x".repeat(1_024) })[0]).toContain(
      "set it to true or false",
    );
    expect(messages({ ...asked, [ANNOTATION.pause]: "x".repeat(1_025) })[0]).toContain("is longer than 1024");
  });
});

describe("what is wrong with it", () => {
  test.each([
    [
      { ...asked, [ANNOTATION.engine]: "mysq1" },
      'ordinal.dev/engine is "mysq1": did you mean mysql? Allowed: mysql.',
    ],
    [
      { ...asked, [ANNOTATION.engine]: "MySQL" },
      'ordinal.dev/engine is "MySQL": did you mean mysql? Allowed: mysql.',
    ],
    [{ ...asked, [ANNOTATION.engine]: "mongodb" }, 'ordinal.dev/engine is "mongodb": set it to mysql.'],
    [
      { [ANNOTATION.engine]: "mysql" },
      "ordinal.dev/credentials is missing: set it to the name of the Secret with the root password.",
    ],
    [
      { ...asked, [ANNOTATION.credentials]: "Root_Password" },
      'ordinal.dev/credentials is "Root_Password": set it to the name of a Secret: lower case letters, digits, - and ., at most 253.',
    ],
    [
      { ...asked, [ANNOTATION.maxLag]: "500ms" },
      'ordinal.dev/max-lag is "500ms": set it to a whole number with ms, s, m or h, from 1s to 24h, such as 10s.',
    ],
    [{ ...asked, [ANNOTATION.pause]: "yes" }, 'ordinal.dev/pause is "yes": set it to true or false.'],
    [
      { ...asked, [ANNOTATION.pause]: "ture" },
      'ordinal.dev/pause is "ture": did you mean true? Allowed: true, false.',
    ],
    [
      { ...asked, [ANNOTATION.servicesOnRelease]: "delete" },
      'ordinal.dev/services-on-release is "delete": set it to keep or remove.',
    ],
    [
      { ...asked, [ANNOTATION.pause]: "\u202Etrue\0" },
      'ordinal.dev/pause is "\\u202Etrue\\u0000": did you mean true? Allowed: true, false.',
    ],
    [
      { ...asked, [ANNOTATION.acceptDataLoss]: "e0" },
      'ordinal.dev/accept-data-loss is "e0": set it to the epoch that the condition names, such as e17.',
    ],
    [
      { ...asked, [ANNOTATION.acceptDataLoss]: "xe1" },
      'ordinal.dev/accept-data-loss is "xe1": set it to the epoch that the condition names, such as e17.',
    ],
    [
      { ...asked, [ANNOTATION.acceptDataLoss]: "e1x" },
      'ordinal.dev/accept-data-loss is "e1x": set it to the epoch that the condition names, such as e17.',
    ],
    [
      { ...asked, [ANNOTATION.acceptDataLoss]: "e1234567890" },
      'ordinal.dev/accept-data-loss is "e1234567890": set it to the epoch that the condition names, such as e17.',
    ],
    [
      { ...asked, [ANNOTATION.acceptDataLoss]: "17" },
      'ordinal.dev/accept-data-loss is "17": set it to the epoch that the condition names, such as e17.',
    ],
    [
      { ...asked, [ANNOTATION.switchoverTo]: "mysql_1" },
      'ordinal.dev/switchover-to is "mysql_1": set it to the name of a pod of this StatefulSet.',
    ],
    [
      { ...asked, [ANNOTATION.replicas]: "34" },
      'ordinal.dev/replicas is "34": set it to a whole number from 1 to 33.',
    ],
    [
      { ...asked, [ANNOTATION.failoverCooldown]: "10sec" },
      'ordinal.dev/failover-cooldown is "10sec": set it to a whole number with ms, s, m or h, from 0 to 24h, such as 10s.',
    ],
    [
      { ...asked, [ANNOTATION.credentials]: "x".repeat(2000) },
      'ordinal.dev/credentials starts with "xxxxxxxxxxxxxxxxxxxx" and is longer than 1024 bytes: shorten it.',
    ],
  ])("case %#", (annotations, message) => {
    expect(messages(annotations)).toEqual([`AnnotationInvalid: ${message}`]);
  });

  test.each([
    ["ordinal.dev/max-lags", "did you mean ordinal.dev/max-lag? Rename it or remove it."],
    ["ordinal.dev/Pause", "did you mean ordinal.dev/pause? Rename it or remove it."],
    [
      "ordinal.dev/service-on-release",
      "did you mean ordinal.dev/services-on-release? Rename it or remove it.",
    ],
  ])("unknown key %s", (key, hint) => {
    expect(messages({ ...asked, [key]: "x" })).toEqual([
      `AnnotationUnknown: ${key} is no annotation of Ordinal: ${hint}`,
    ]);
  });

  test("an unknown key like no other, a label's name and a Pod's annotation get no hint", () => {
    for (const key of ["ordinal.dev/frobnicate", "ordinal.dev/role", "ordinal.dev/member", "ordinal.dev/"]) {
      expect(messages({ ...asked, [key]: "x" })).toEqual([
        `AnnotationUnknown: ${key} is no annotation of Ordinal for a StatefulSet: remove it or correct its name.`,
      ]);
    }
  });

  test("a mistyped engine key is told even though the set is then not managed", () => {
    expect(wish({ "ordinal.dev/engin": "mysql" })).toMatchObject({ managed: false, spec: null });
    expect(messages({ "ordinal.dev/engin": "mysql" })[0]).toContain("did you mean ordinal.dev/engine?");
  });

  test("without an engine, leftovers of an old wish do not block a release", () => {
    expect(
      messages({ [ANNOTATION.maxLag]: "soon", [ANNOTATION.pause]: "", [ANNOTATION.credentials]: "?" }),
    ).toEqual([]);
  });

  test("all of it at once, and all of it blocks", () => {
    const { spec, problems } = wish({
      [ANNOTATION.engine]: "",
      [ANNOTATION.maxLag]: "",
      [ANNOTATION.pause]: "",
      [ANNOTATION.servicesOnRelease]: "",
      "ordinal.dev/b": "",
      "ordinal.dev/a": "",
    });
    expect(spec).toBeNull();
    expect(problems).toHaveLength(7);
    expect(problems.every((one) => one.blocks)).toBe(true);
  });

  test.each(MALFORMED.map((value) => [JSON.stringify(value.slice(0, 20)), value]))(
    "nasty value %s in every key",
    (_, value) => {
      const names: readonly string[] = [
        ANNOTATION.credentials,
        ANNOTATION.switchoverTo,
        ANNOTATION.backupStore,
      ];
      const ids: readonly string[] = [ANNOTATION.restoreUndo, ANNOTATION.restoreForget];
      const keys = Object.values(KEYS).filter((key) => key.writer === "user");
      for (const { key } of keys) {
        if (names.includes(key) && isName(value)) continue;
        if (ids.includes(key) && /^[a-z0-9][a-z0-9-]{0,31}$/.test(value)) continue;
        const { problems } = wish({ ...asked, [key]: value });
        expect(problems.map((one) => one.code)).toEqual(["AnnotationInvalid"]);
        expect(problems.filter(({ message }) => !isPlainSentence(message, 200))).toEqual([]);
      }
    },
  );

  test("nasty keys", () => {
    for (const value of MALFORMED) {
      const [one, ...others] = wish({ ...asked, [`ordinal.dev/_${value}`]: "" }).problems;
      expect(others).toEqual([]);
      expect(one?.code).toBe("AnnotationUnknown");
      expect(isPlainSentence(one?.message ?? "\n", 200)).toBe(true);
    }
  });
});
