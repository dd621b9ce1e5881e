/** Every kind of step, as a plan shows it: where it acts, with which statements, and what it changes of objects. */
import { describe, expect, test } from "vitest";
import { afterStep } from "../../../shared/decide/after-step.ts";
import { mysql } from "../../../shared/engines/mysql/index.ts";
import { dryRun } from "../../../shared/execute/dry-run.ts";
import type { Decision } from "../../../shared/model/decision.ts";
import type { Observed } from "../../../shared/model/observed.ts";
import { type PlannedStep, planSchema } from "../../../shared/model/plan.ts";
import type { Step, Track } from "../../../shared/model/step.ts";
import {
  but,
  type Change,
  channelTo,
  facts,
  NOW_MS,
  observed,
  placed,
  podless,
  primaryFacts,
  replicaFacts,
  server,
  silent,
  steadyState,
  uuidOf,
  written,
} from "../../support/situation.ts";

const NONE: Decision = {
  ...{ problems: [], conditions: [], phase: "Healthy", prelude: [], tracks: [], finale: [] },
  ...{ why: "", lookAgainMs: null },
};
const SEEN = { uid: "uid", resourceVersion: "5" };

async function run(of: Observed, tracks: readonly Track[]): Promise<readonly PlannedStep[]> {
  const after = (so: Observed, step: Step) => afterStep(so, step, mysql.rules);
  const { steps } = await dryRun(mysql, of, { ...NONE, tracks }, { nowMs: NOW_MS, component: "test", after });
  expect(planSchema.safeParse({ stages: [{ why: "", steps }], complete: true }).error).toBeUndefined();
  return steps;
}

interface Case {
  readonly step: Step;
  readonly given?: readonly Change[];
  /** `server: statement`. */
  readonly sent?: readonly string[];
  readonly changes?: PlannedStep["changes"];
}

const stopped = (ordinal: number): Change =>
  server(
    ordinal,
    replicaFacts(ordinal, {
      channel: channelTo(0, { receiver: "off", account: `ordinal_repl_${ordinal}` }),
      acks: { ...replicaFacts(ordinal).acks, active: false },
    }),
  );
const closed = server(
  0,
  primaryFacts(3, { readOnly: true, acks: { ...primaryFacts(3).acks, required: false } }),
);
const offline = server(0, primaryFacts(3, { offline: true, readOnly: true }));
const blank = server(2, facts(2));
const errant = `${uuidOf(2)}:1`;

const SEMI_SYNC = [
  "mysql-0: SET GLOBAL rpl_semi_sync_source_timeout = 4294967295, GLOBAL rpl_semi_sync_source_wait_no_replica = ON, " +
    "GLOBAL rpl_semi_sync_source_wait_point = AFTER_SYNC, " +
    "GLOBAL rpl_semi_sync_source_wait_for_replica_count = 1, GLOBAL rpl_semi_sync_source_enabled = ON",
];
const SOURCE =
  "SOURCE_HOST = 'mysql-0.mysql.shop.svc', SOURCE_PORT = 3306, SOURCE_USER = 'ordinal_repl_2', " +
  "SOURCE_PASSWORD = '***', SOURCE_SSL = 1, SOURCE_HEARTBEAT_PERIOD = 0.5, SOURCE_CONNECT_RETRY = 1, SOURCE_RETRY_COUNT = 0";

/** One for each kind at least: a new kind of step does not compile without. */
const CASES: { readonly [Kind in Step["kind"]]: Case } = {
  Prepare: {
    step: {
      kind: "Prepare",
      ordinal: 0,
      preparation: { kind: "accounts", text: "", parameters: { ordinals: "1" }, asAdministrator: true },
    },
    given: [
      server(
        0,
        primaryFacts(3, {
          settings: { "account:ordinal": '{"ordinal":{"grants":3,"password":"of now"}}' },
        }),
      ),
    ],
    sent: [
      "mysql-0: CREATE USER IF NOT EXISTS 'ordinal_repl_1'@'%' IDENTIFIED WITH caching_sha2_password BY RANDOM PASSWORD REQUIRE SSL PASSWORD EXPIRE NEVER",
      "mysql-0: GRANT REPLICATION SLAVE, BACKUP_ADMIN ON *.* TO 'ordinal_repl_1'@'%'",
      `mysql-0: ALTER USER 'ordinal_repl_1'@'%' IDENTIFIED WITH caching_sha2_password BY '***' REQUIRE SSL PASSWORD EXPIRE NEVER ATTRIBUTE '{"ordinal":{"grants":3,"password":"***"}}'`,
    ],
  },
  Seed: {
    step: { kind: "Seed", ordinal: 2, donor: 1, covered: null },
    given: [blank],
    sent: [
      "mysql-2: SET GLOBAL read_only = ON",
      "mysql-2: SET GLOBAL super_read_only = OFF",
      "mysql-2: SET GLOBAL clone_valid_donor_list = 'mysql-1.mysql.shop.svc:3306'",
      "mysql-2: CLONE INSTANCE FROM 'ordinal_repl_1'@'mysql-1.mysql.shop.svc':3306 IDENTIFIED BY '***' REQUIRE SSL",
    ],
  },
  Follow: {
    step: { kind: "Follow", ordinal: 2, source: 0, how: "full" },
    given: [blank],
    sent: [
      "mysql-2: SET GLOBAL super_read_only = ON",
      "mysql-2: SET GLOBAL offline_mode = OFF",
      `mysql-2: CHANGE REPLICATION SOURCE TO ${SOURCE}, SOURCE_AUTO_POSITION = 1, SOURCE_DELAY = 0`,
      "mysql-2: START REPLICA",
    ],
  },
  Acknowledge: {
    step: { kind: "Acknowledge", ordinal: 1, on: false },
    sent: [
      "mysql-1: SET PERSIST rpl_semi_sync_replica_enabled = OFF",
      "mysql-1: STOP REPLICA IO_THREAD",
      "mysql-1: START REPLICA IO_THREAD",
    ],
  },
  LockAccount: {
    step: { kind: "LockAccount", ordinal: 2, primary: 0, locked: true },
    sent: [
      "mysql-0: SET SESSION sql_log_bin = OFF",
      "mysql-0: ALTER USER 'ordinal_repl_2'@'%' ACCOUNT LOCK",
      "mysql-0: SET SESSION sql_log_bin = ON",
      "mysql-0: KILL <thread>",
    ],
  },
  Fence: {
    step: { kind: "Fence", ordinal: 0 },
    given: [silent(0)],
    sent: [
      "mysql-0: SET GLOBAL offline_mode = ON",
      "mysql-0: SET PERSIST_ONLY super_read_only = ON",
      "mysql-0: SET GLOBAL super_read_only = ON",
    ],
  },
  Demote: {
    step: { kind: "Demote", ordinal: 0 },
    sent: ["mysql-0: SET PERSIST_ONLY super_read_only = ON", "mysql-0: SET GLOBAL super_read_only = ON"],
  },
  StopReceiving: {
    step: { kind: "StopReceiving", ordinal: 1 },
    sent: ["mysql-1: STOP REPLICA IO_THREAD"],
  },
  Promote: {
    step: { kind: "Promote", ordinal: 1, timeoutMs: 2_500 },
    given: [stopped(1)],
    sent: [
      `mysql-1: SELECT WAIT_FOR_EXECUTED_GTID_SET('${written(100)}', 2.5) AS late`,
      "mysql-1: STOP REPLICA SQL_THREAD",
      "mysql-1: RESET REPLICA ALL",
    ],
  },
  Restart: {
    step: { kind: "Restart", ordinal: 0 },
    given: [offline],
    sent: ["mysql-0: SET GLOBAL rpl_semi_sync_source_wait_for_replica_count = 1", "mysql-0: SHUTDOWN"],
  },
  ArchiveTail: {
    step: { kind: "ArchiveTail", ordinal: 2, primary: 0, beyond: written(100) },
    given: [server(2, replicaFacts(2, { executed: `${written(100)},\n${errant}` }))],
    sent: [
      `mysql-0: INSERT INTO ordinal.tail (epoch, server_uuid, gtid, digest, part, parts, place, events) VALUES (1, '${uuidOf(2)}', '${errant}', '<digest>', 1, 1, 1, <events>) ON DUPLICATE KEY UPDATE epoch = epoch`,
      `mysql-0: INSERT INTO ordinal.archive (epoch, server_uuid, cluster_uid, at, gtids) VALUES (1, '${uuidOf(2)}', 'uid-set', '2026-11-23T10:00:00.000Z', '${errant}') ON DUPLICATE KEY UPDATE cluster_uid = VALUES(cluster_uid), at = VALUES(at), gtids = VALUES(gtids)`,
    ],
  },
  Nudge: {
    step: { kind: "Nudge", ordinal: 0 },
    sent: [
      "mysql-0: INSERT INTO ordinal.heartbeat (slot, beats) VALUES (CONNECTION_ID() % 16, 1) ON DUPLICATE KEY UPDATE beats = beats + 1",
    ],
  },
  Arm: { step: { kind: "Arm", ordinal: 0, ackCount: 1 }, given: [closed], sent: SEMI_SYNC },
  Confirm: {
    step: {
      kind: "Confirm",
      members: [{ ordinal: 1, closed: true, stopped: true, atMost: null, atLeast: null }],
      timeoutMs: 0,
    },
    sent: [],
  },
  AwaitHolders: {
    step: { kind: "AwaitHolders", primary: 0, holders: [1, 2], need: 1, timeoutMs: 10_000 },
    sent: [1, 2].map(
      (holder) => `mysql-${holder}: SELECT WAIT_FOR_EXECUTED_GTID_SET('${written(100)}', 10) AS late`,
    ),
  },
  Open: {
    step: { kind: "Open", ordinal: 0, epoch: 2, ackCount: 1, timeoutMs: 1_000 },
    given: [server(0, primaryFacts(3, { readOnly: true, offline: true }))],
    sent: [
      "mysql-0: FLUSH BINARY LOGS",
      "mysql-0: SET GLOBAL read_only = OFF",
      "mysql-0: SET GLOBAL offline_mode = OFF",
      "mysql-0: INSERT INTO ordinal.term (epoch, cluster_uid, server_uuid, op_id, at) VALUES (2, 'uid-set', @@GLOBAL.server_uuid, 'epoch-2', '2026-11-23T10:00:00.000Z') ON DUPLICATE KEY UPDATE cluster_uid = VALUES(cluster_uid), server_uuid = VALUES(server_uuid), op_id = VALUES(op_id), at = VALUES(at), opened = opened + 1",
    ],
  },
  HandOver: {
    step: { kind: "HandOver", ordinal: 1, role: "replica", ackCount: 1 },
    sent: [
      "mysql-1: SET PERSIST_ONLY skip_replica_start = OFF",
      "mysql-1: SET PERSIST_ONLY super_read_only = ON",
    ],
  },
  Record: {
    step: {
      ...{ kind: "Record", state: steadyState(3), conditions: [], phase: "Scaling", managedLabel: true },
      history: [
        { at: "2026-11-23T10:00:00.000Z", epoch: 1, reason: "ScaledDown", why: "as asked", considered: [] },
      ],
      ...{ replicas: 2, partition: null, answered: ["ordinal.dev/engine"], backups: null, restore: null },
    },
    changes: [
      {
        verb: "patch",
        object: "StatefulSet/mysql",
        fields: {
          "metadata.annotations.ordinal.dev/state": expect.stringContaining('"phase":"Steady"'),
          "metadata.annotations.ordinal.dev/conditions": "[]",
          "metadata.annotations.ordinal.dev/history": expect.stringContaining('"reason":"ScaledDown"'),
          "metadata.annotations.ordinal.dev/phase": "Scaling",
          "metadata.annotations.ordinal.dev/engine": null,
          "spec.replicas": 2,
        },
      },
    ],
  },
  Event: {
    step: { kind: "Event", type: "Normal", reason: "ScaledDown", message: "as asked", key: "k" },
    changes: [
      {
        verb: "create",
        object: expect.stringMatching(/^Event\/mysql\.[0-9a-f]{16}$/),
        fields: expect.objectContaining({ reason: "ScaledDown", note: "as asked", type: "Normal" }),
      },
    ],
  },
  EnsureAccounts: {
    step: { kind: "EnsureAccounts", ordinals: [0] },
    given: [but({ accounts: { kind: "missing" } })],
    changes: [
      {
        verb: "create",
        object: "Secret/mysql-ordinal",
        fields: expect.objectContaining({
          "stringData.control": "***",
          "stringData.replication-0": "***",
          "metadata.ownerReferences.0.name": "mysql",
        }),
      },
    ],
  },
  LabelPod: {
    step: {
      ...{ kind: "LabelPod", pod: "mysql-1", seen: SEEN, annotations: {} },
      labels: { "ordinal.dev/role": "replica", "ordinal.dev/epoch": null },
    },
    changes: [
      {
        verb: "patch",
        object: "Pod/mysql-1",
        fields: {
          "metadata.labels.ordinal.dev/role": "replica",
          "metadata.labels.ordinal.dev/epoch": null,
        },
      },
    ],
  },
  AnnotateClaim: {
    step: {
      ...{ kind: "AnnotateClaim", claim: "data-mysql-1", seen: SEEN },
      annotations: { "ordinal.dev/epoch-seen": "2" },
    },
    changes: [
      {
        verb: "patch",
        object: "PersistentVolumeClaim/data-mysql-1",
        fields: { "metadata.annotations.ordinal.dev/epoch-seen": "2" },
      },
    ],
  },
  EnsureService: {
    step: {
      ...{ kind: "EnsureService", role: "primary", name: "mysql-primary", seen: null },
      selector: { "ordinal.dev/role": "primary" },
    },
    changes: [
      {
        verb: "create",
        object: "Service/mysql-primary",
        fields: expect.objectContaining({
          "spec.selector.ordinal.dev/role": "primary",
          "spec.ports.0.port": 3306,
        }),
      },
    ],
  },
  StartJob: {
    step: {
      ...{ kind: "StartJob", name: "mysql-proof-20261123030000" },
      task: { kind: "proof", store: "backups", slot: "2026-11-23T03:00:00Z" },
    },
    changes: [
      {
        verb: "create",
        object: "Job/mysql-proof-20261123030000",
        fields: expect.objectContaining({
          task: "proof of 2026-11-23T03:00:00Z",
          "metadata.ownerReferences.0.name": "mysql",
        }),
      },
    ],
  },
  DeletePod: {
    step: { kind: "DeletePod", name: "mysql-2", seen: SEEN },
    changes: [{ verb: "delete", object: "Pod/mysql-2", fields: {} }],
  },
  DeleteService: {
    step: { kind: "DeleteService", name: "mysql-primary", seen: SEEN },
    changes: [{ verb: "delete", object: "Service/mysql-primary", fields: {} }],
  },
};

describe("a step of kind", () => {
  test.each(Object.entries(CASES))("%s", async (_, { step, given = [], sent = [], changes = [] }) => {
    const [only, ...more] = await run(placed(3, ...given), [[step]]);
    expect(more).toEqual([]);
    expect(only?.hindered).toBeNull();
    expect(only?.statements.map((one) => `${one.server}: ${one.sql}`)).toEqual(sent);
    expect(only?.changes).toEqual(changes);
    expect(only?.where.length).toBeGreaterThan(0);
  });
});

test("a Service that leads elsewhere already is patched, and a password that is missing is added", async () => {
  const service = { kind: "EnsureService", role: "primary", name: "mysql-primary", seen: SEEN } as const;
  const steps = await run(placed(3), [
    [
      { ...service, selector: { "ordinal.dev/epoch": "2" } },
      { kind: "EnsureAccounts", ordinals: [0, 7] },
    ],
  ]);
  expect(steps.flatMap(({ changes }) => changes)).toEqual([
    { verb: "patch", object: "Service/mysql-primary", fields: { "spec.selector.ordinal.dev/epoch": "2" } },
    { verb: "patch", object: "Secret/mysql-ordinal", fields: { "stringData.replication-7": "***" } },
  ]);
});

test("a step that cannot succeed says why, and ends its track alone", async () => {
  const steps = await run(placed(3, podless(2)), [
    [
      { kind: "StopReceiving", ordinal: 2 },
      { kind: "Fence", ordinal: 2 },
    ],
    [{ kind: "StopReceiving", ordinal: 1 }],
  ]);
  expect(steps.map(({ where, hindered }) => [where, hindered])).toEqual([
    [["mysql-2"], "its pod has no address yet"],
    [["mysql-1"], null],
  ]);
});

test("a position that is longer than a person reads is cut, and says how long it is", async () => {
  const many = Array.from({ length: 40 }, (_, at) => `${uuidOf(at)}:1-9`).join(",\n");
  const [step] = await run(placed(3, server(0, primaryFacts(3, { executed: many }))), [
    [{ kind: "AwaitHolders", primary: 0, holders: [1], need: 1, timeoutMs: 1_000 }],
  ]);
  expect(step?.statements[0]?.sql).toMatch(/… \(\d+ characters\)', 1\) AS late$/);
});

test("an intent that was never recorded lets nothing be done to a server", async () => {
  await expect(run(observed(3), [[{ kind: "Fence", ordinal: 0 }]])).rejects.toThrow(
    "without a recorded intent",
  );
});
