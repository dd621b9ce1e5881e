/** `kubectl ordinal status`: the exact text, whatever stands in the cluster or on the command line. */
import { describe, expect, test } from "vitest";
import { encodeBackups } from "../../../shared/annotations/backups.ts";
import { encodeConditions } from "../../../shared/annotations/conditions.ts";
import { ANNOTATION } from "../../../shared/annotations/keys.ts";
import type { BackupMemory } from "../../../shared/model/backup.ts";
import { clusterSchema } from "../../../shared/model/documents.ts";
import type { StatefulSet } from "../../../shared/model/kube.ts";
import { memory } from "../../support/backups.ts";
import { condition } from "../annotations/support.ts";
import { adopting, healthy, healthyPods, ordinal, pod, set, unseen, WORLD } from "./support.ts";

describe("status", () => {
  test("of the context's namespace", async () => {
    expect(await ordinal("status")).toEqual({
      exitCode: 0,
      err: "",
      out: `
NAMESPACE  NAME    STATE    PRIMARY  READY  LAG   EPOCH  LAST BACKUP  PROVEN
shop       mysql   Healthy  mysql-1  3/3    0.3s  7      –            –
shop       orders  Unseen   –        1/1    –     –      –            –
`.trimStart(),
    });
  });

  test("of all namespaces, wide", async () => {
    expect((await ordinal("status -A -o wide")).out).toBe(
      `
NAMESPACE  NAME    STATE     PRIMARY  READY  LAG   EPOCH  LAST BACKUP  PROVEN  ACKS    PROBLEMS
lab        crm     Adopting  crm-0    1/3    –     1      –            –       –       MemberUnreachable,NoSpareCopy
shop       mysql   Healthy   mysql-1  3/3    0.3s  7      –            –       1 of 2  –
shop       orders  Unseen    –        1/1    –     –      –            –       –       AnnotationInvalid
`.trimStart(),
    );
  });

  test("of a namespace without clusters", async () => {
    expect(await ordinal("status -n empty")).toEqual({
      exitCode: 0,
      out: "",
      err:
        "Ordinal manages no StatefulSet in namespace empty. To begin: " +
        "kubectl ordinal adopt NAME --credentials SECRET\n",
    });
    expect((await ordinal("status -A", { sets: [], pods: [] })).err).toContain("in any namespace");
  });

  test("in colour, without moving a column", async () => {
    const { out } = await ordinal("status", WORLD, true);
    expect(out).toContain("mysql   \u001B[32mHealthy\u001B[0m  mysql-1");
    expect(out).toContain("orders  \u001B[33mUnseen\u001B[0m   –");
    const bare = [0, 32, 33].reduce((text, code) => text.replaceAll(`\u001B[${code}m`, ""), out);
    expect(bare).toBe((await ordinal("status")).out);
  });
});

describe("status NAME", () => {
  test("healthy", async () => {
    expect(await ordinal("status mysql")).toEqual({
      exitCode: 0,
      err: "",
      out: `
mysql is healthy: 3 of 3 members in place, primary mysql-1.
  What you can do: nothing is needed. \`kubectl ordinal why mysql -n shop\` shows what was decided and why.

INSTANCE  ROLE     POD    SERVER  EXECUTED  RECEIVED  LAG   ACKS  NOTE
mysql-0   replica  Ready  9.7.4   –         –         0.3s  yes
mysql-1   primary  Ready  9.7.4   –         –         –     –
mysql-2   replica  Ready  9.7.4   –         –         0s    yes
`.trimStart(),
    });
  });

  test("adopting: the worst problem first, and what is under way", async () => {
    expect((await ordinal("status crm -n lab")).out).toBe(
      `
crm is being taken over: 1 of 3 members in place.
  MemberUnreachable (for 60m): crm-2 does not answer: no pod.
  NoSpareCopy (for 10s): 0 of the 1 replicas that each write needs acknowledge.
  Under way for 42s: adopt, step Prepare.
  What you can do: find out why its pod does not run, when it stays so.

INSTANCE  ROLE     POD               SERVER  EXECUTED  RECEIVED  LAG  ACKS  NOTE
crm-0     primary  Ready             9.7.4   –         –         –    –
crm-1     –        CrashLoopBackOff  –       –         –         –    –
crm-2     –        Missing           –       –         –         –    –
`.trimStart(),
    );
  });

  test("annotated, but wrongly, and nobody has looked yet", async () => {
    expect((await ordinal("status orders")).out).toBe(
      `
orders is annotated, but Ordinal has not looked at it yet.
  AnnotationInvalid: ordinal.dev/max-lag is "soon": set it to a whole number with ms, s, m or h, from 1s to 24h, such as 10s.
  What you can do: correct the annotation as the message says.

INSTANCE  ROLE  POD    SERVER  EXECUTED  RECEIVED  LAG  ACKS  NOTE
orders-0  –     Ready  –       –         –         –    –
`.trimStart(),
    );
    const right = { ...unseen, annotations: { ...unseen.annotations, [ANNOTATION.maxLag]: "10s" } };
    expect((await ordinal("status orders", { ...WORLD, sets: [right] })).out).toContain(
      "What you can do: see whether Ordinal runs, and whether it watches this namespace.",
    );
  });

  test("blocked: what the first line says is not said twice", async () => {
    const message = "Secret mysql-root does not exist.";
    const conditions = JSON.stringify([
      { ...JSON.parse(healthy.annotations[ANNOTATION.conditions] ?? "")[0], status: "False", message },
      {
        ...JSON.parse(healthy.annotations[ANNOTATION.conditions] ?? "")[0],
        type: "CredentialsMissing",
        message,
      },
    ]);
    const annotations = {
      ...healthy.annotations,
      [ANNOTATION.phase]: "Blocked",
      [ANNOTATION.conditions]: conditions,
    };
    const { out } = await ordinal("status mysql", { sets: [{ ...healthy, annotations }], pods: [] });
    expect(out.split("\n").slice(0, 3)).toEqual([
      "mysql is blocked until you act: Secret mysql-root does not exist.",
      "  What you can do: create the Secret, grant the right to read it, or correct the annotation. `kubectl ordinal why mysql -n shop` shows what was decided and why.",
      "",
    ]);
  });

  test("wide, with a surplus pod, a leaving one, and somebody else's pod of the same labels", async () => {
    const pods = [
      ...healthyPods.slice(1),
      pod(healthy, 3, { note: "leaves", role: "none", acks: false, lagMs: 754_000 }, { deleting: true }),
      { ...pod(healthy, 0), ownerUid: "somebody" },
    ];
    expect((await ordinal("status shop/mysql -o wide", { ...WORLD, pods })).out).toContain(
      `
INSTANCE  ROLE     POD          SERVER  EXECUTED  RECEIVED  LAG  ACKS  SERVER UUID  UNCHANGED FOR  NOTE
mysql-0   –        Missing      –       –         –         –    –     –            –
mysql-1   primary  Ready        9.7.4   –         –         –    –     uuid-1       5m
mysql-2   replica  Ready        9.7.4   –         –         0s   yes   uuid-2       5m
mysql-3   none     Terminating  9.7.4   –         –         12m  no    uuid-3       5m             leaves
`,
    );
  });

  test("texts that others wrote cannot reach the terminal as they are", async () => {
    const evil = "\u001B]0;owned\u0007\u202E";
    const annotations = {
      ...healthy.annotations,
      [ANNOTATION.phase]: evil,
      [ANNOTATION.conditions]: JSON.stringify([
        {
          type: evil,
          status: "True",
          reason: "x",
          message: evil,
          lastTransitionAt: "2026-11-23T10:00:00Z",
          observedGeneration: 1,
        },
      ]),
      [ANNOTATION.history]: JSON.stringify([
        { at: "2026-11-23T10:00:00Z", epoch: 1, reason: evil, why: evil, considered: [evil] },
      ]),
    };
    const record = {
      role: "none",
      note: evil,
      serverUuid: evil,
      version: evil,
      at: "2026-11-23T10:00:00Z",
      acks: true,
      lagMs: 1,
    };
    const pods = [{ ...pod(healthy, 0), annotations: { [ANNOTATION.member]: JSON.stringify(record) } }];
    const world = { sets: [{ ...healthy, annotations }], pods };
    for (const line of [
      "status",
      "status mysql -o wide",
      "status mysql -o json",
      "why mysql",
      "why mysql -o yaml",
    ]) {
      const { out, exitCode } = await ordinal(line, world);
      expect(exitCode).toBe(0);
      expect(out).toContain("owned");
      expect(out.replaceAll("\n", ""), line).not.toMatch(/\p{C}/u);
    }
  });

  test("broken annotations show as not known, never as an error", async () => {
    const annotations = Object.fromEntries(Object.values(ANNOTATION).map((key) => [key, "{"]));
    const { exitCode, out } = await ordinal("status mysql", {
      sets: [{ ...healthy, annotations }],
      pods: [],
    });
    expect(exitCode).toBe(0);
    expect(out).toContain("mysql is {.");
  });
});

describe("backups in a status", () => {
  const slot = "2026-11-23T02:00:00Z";
  const store = { [ANNOTATION.backupStore]: "backups", [ANNOTATION.backupSchedule]: "0 3 * * *" };
  const zone = { [ANNOTATION.backupTimezone]: "Europe/Berlin" };

  function remembering(more: Partial<BackupMemory> = {}): StatefulSet {
    const remembered = encodeBackups({ ...memory(), clusterUid: healthy.uid, ...more });
    return { ...healthy, annotations: { ...healthy.annotations, ...store, ...zone, ...remembered } };
  }
  const status = async (of: StatefulSet, line = "status mysql") =>
    (await ordinal(line, { sets: [of], pods: healthyPods })).out;

  test("the last, the last proven and the next", async () => {
    expect((await status(remembering())).split("\n")[1]).toBe(
      `  Backups: the last is of ${slot} (8h ago, physical), the last proven is of ${slot} (proven 7h ago), the next is of 2026-11-24T02:00:00Z (in 15h).`,
    );
    expect((await status(remembering(), "status")).split("\n").slice(0, 2)).toEqual([
      "NAMESPACE  NAME   STATE    PRIMARY  READY  LAG   EPOCH  LAST BACKUP  PROVEN",
      "shop       mysql  Healthy  mysql-1  3/3    0.3s  7      8h ago       7h ago",
    ]);
  });

  test("what has failed since, and what is under way", async () => {
    const long = `the store is full ${"and so on ".repeat(30)}to its end`;
    const failed = { slot, attempt: 5, at: slot, reason: long };
    const unproven = { slot, begunAt: slot, at: slot, reason: "x" };
    const running = {
      slot,
      attempt: 1,
      method: "logical",
      asked: "request",
      source: 2,
      begunAt: slot,
    } as const;
    const busy = remembering({
      failed,
      failures: 2,
      missed: 1,
      unproven,
      running,
      proving: { slot, begunAt: slot },
    });
    const out = await status(busy);
    expect(out).toContain("(8h ago, physical), 2 failed since, 1 missed since, the last proven");
    expect(out).toContain(`  The logical backup of ${slot} is taken from mysql-2 for 8h.\n`);
    expect(out).toContain(`  The backup of ${slot} is being proven for 8h.\n`);
    expect(out).toContain(
      `  The backup of ${slot} failed 8h ago: ${long}. For an hour from then on Job mysql-backup-20261123020000-5 has a log.\n`,
    );
    expect(out).toContain(`  The proof of ${slot} failed 8h ago: x. `);
    expect(await status(busy, "status")).toContain("8h ago (2 failed since)  7h ago (failed since)\n");
  });

  test("that nobody has made yet, and on demand only", async () => {
    const none = { ...healthy, annotations: { ...healthy.annotations, [ANNOTATION.backupStore]: "backups" } };
    expect((await status(none)).split("\n")[1]).toBe(
      "  Backups: there is none yet, none is proven, none is scheduled.",
    );
  });

  test("a schedule that no pass has seen has no next slot", async () => {
    const other = remembering({ schedule: { cron: "0 4 * * *", timeZone: "UTC" } });
    expect(await status(other)).toContain("the next is not known yet.");
  });

  test("are part of the document", async () => {
    const json = JSON.parse(await status(remembering(), "status mysql -o json"));
    expect(clusterSchema.parse(json).backups).toEqual({
      ...{
        store: "backups",
        schedule: "0 3 * * *",
        timeZone: "Europe/Berlin",
        nextSlot: "2026-11-24T02:00:00Z",
      },
      ...{ running: null, proving: null, failed: null, unproven: null, failures: 0, missed: 0 },
      last: { slot, begunAt: null, endedAt: "2026-11-23T02:04:00Z", method: "physical" },
      proven: { slot, begunAt: null, at: "2026-11-23T02:09:00Z" },
      archive: null,
    });
  });
});

describe("what is no cluster", () => {
  test.each([
    ["status mysq", "There is no StatefulSet mysq in namespace shop. Did you mean mysql?\n"],
    ["why orderz", "There is no StatefulSet orderz in namespace shop. Did you mean orders?\n"],
    [
      "status frobnicate",
      "There is no StatefulSet frobnicate in namespace shop. Ordinal manages here: mysql, orders.\n",
    ],
    ["status mysql -n empty", "There is no StatefulSet mysql in namespace empty.\n"],
    [
      "status web",
      "StatefulSet shop/web is not managed by Ordinal.\n" +
        "  To have it managed, with the Secret of its root password: " +
        "kubectl ordinal adopt web -n shop --credentials SECRET\n",
    ],
  ])("%s", async (line, err) => {
    expect(await ordinal(line)).toEqual({ exitCode: 2, out: "", err });
  });

  test("a mistyped key is told", async () => {
    const { err } = await ordinal("status db", {
      sets: [set("db", { annotations: { "ordinal.dev/engin": "mysql" } })],
      pods: [],
    });
    expect(err).toContain(
      "\n  ordinal.dev/engin is no annotation of Ordinal: did you mean ordinal.dev/engine?",
    );
  });

  test("a cluster that takes no writes is not said to serve, and the advice is about what waits for a person", async () => {
    const conditions = encodeConditions([
      condition({ status: "False", reason: "PrimaryUnreachable", message: "mysql-1 would be failed over." }),
      condition({
        type: "PrimaryUnreachable",
        reason: "PrimaryUnreachable",
        message: "mysql-1 does not answer.",
      }),
      condition({
        ...{ type: "FailoverAwaitsApproval", reason: "FailoverAwaitsApproval" },
        message: "mysql-1 would be failed over.",
      }),
    ]);
    const annotations = {
      ...healthy.annotations,
      [ANNOTATION.phase]: "Degraded",
      [ANNOTATION.conditions]: conditions,
    };
    const { out } = await ordinal("status mysql", { ...WORLD, sets: [{ ...healthy, annotations }] });
    expect(out).toMatch(/^mysql takes no writes: mysql-1 would be failed over\.\n/);
    expect(out).toContain("What you can do: `kubectl ordinal approve NAME` lets it happen");
  });

  test("released, but remembered", async () => {
    const released: Readonly<Record<string, string>> = {
      ...healthy.annotations,
      [ANNOTATION.phase]: "Released",
    };
    const { [ANNOTATION.engine]: _engine, ...annotations } = released;
    const { out } = await ordinal("status mysql", { ...WORLD, sets: [{ ...healthy, annotations }] });
    expect(out).toMatch(/^mysql was released and is not managed any more: /);
  });
});

describe("wrong use and failures", () => {
  test.each([
    ["", /^Usage: kubectl ordinal/],
    ["stat", /unknown command 'stat'\n\(Did you mean status\?\)/],
    ["status -o table", /Allowed choices are json, yaml, wide/],
    ["why", /missing required argument 'name'/],
    ["why mysql -o wide", /Allowed choices are json, yaml/],
    ["status a b", /too many arguments/],
    ["status mysql -A", /^-A shows all clusters/],
    ["status -A -n shop", /^-A shows all clusters/],
    ["status shop/", /^"shop\/" names no cluster/],
    ["status a/b/c", /^"a\/b\/c" names no cluster/],
    ["status lab/crm -n shop", /^Two namespaces are given, lab and shop/],
    ["status --kubeconfig broken", /^The kubeconfig cannot be used: no such file\.\n$/],
  ])("%s", async (line, err) => {
    const ran = await ordinal(line);
    expect(ran).toMatchObject({ exitCode: 2, out: "" });
    expect(ran.err).toMatch(err);
  });

  test("help is no failure", async () => {
    const { exitCode, out } = await ordinal("status --help");
    expect(exitCode).toBe(0);
    expect(out).toContain("--all-namespaces");
  });

  test.each([
    ["refused", 2],
    ["transient", 1],
  ] as const)("the API server's failure of kind %s", async (kind, exitCode) => {
    const world = { ...WORLD, failure: { kind, message: "The API server did not answer." } };
    for (const line of ["status", "status mysql", "why mysql"]) {
      expect(await ordinal(line, world)).toEqual({
        exitCode,
        out: "",
        err: "The API server did not answer.\n",
      });
    }
  });
});

test("a namespace may be given in either way", async () => {
  expect(adopting.namespace).toBe("lab");
  const one = await ordinal("status lab/crm");
  expect(await ordinal("status crm --namespace lab")).toEqual(one);
  expect(await ordinal("status lab/crm -n lab")).toEqual(one);
});
