/**
 * Builds that are broken on purpose, each in one guard of the protocol: wrappers around the ports and verbs that
 * the shipped code is given, never a switch in that code. A simulation that does not notice them proves nothing.
 */
import { mysql } from "../../../shared/engines/mysql/index.ts";
import type { StatefulSet } from "../../../shared/model/kube.ts";
import { type Outcome, succeed } from "../../../shared/model/outcome.ts";
import type { ServerFacts } from "../../../shared/model/server.ts";
import type { Engine } from "../../../shared/ports/engine.ts";
import type { Kube } from "../../../shared/ports/kube.ts";
import type { Server } from "../../../shared/ports/server.ts";
import type { End, PlannedFault, Scenario } from "../scenario/model.ts";
import type { Build } from "../world.ts";

export interface BrokenBuild {
  readonly what: string;
  /** Any of these is a catch; others are luck. */
  readonly caughtBy: RegExp;
  readonly build: Build;
}

const ATTENTIVE: Scenario["hosts"] = [{ resident: false, watches: true, sweepMs: 1_000, skewMs: 0 }];

function pointed(faults: Scenario["faults"], endMs: number): Scenario {
  return {
    seed: 1,
    members: 3,
    onRestart: "wait",
    hosts: ATTENTIVE,
    clients: 3,
    sticky: true,
    faults,
    endMs,
  };
}

function cutOff(from: End, forMs: number): PlannedFault {
  return { moment: { atMs: 3_000 }, fault: { kind: "cut", from, to: "primary", both: true, forMs } };
}

/** Each brings about a situation that random ones bring about seldom. */
export const POINTED: readonly Scenario[] = [
  // A primary that only its clients reach collects commits that nobody acknowledges.
  pointed([cutOff("replica-0", 25_000), cutOff("replica-1", 25_000), cutOff("function", 25_000)], 40_000),
  // Replicas have received what they are far from having executed when the primary goes.
  pointed(
    [
      ...(["replica-0", "replica-1"] as const).map(
        (target): PlannedFault => ({
          moment: { atMs: 1_000 },
          fault: { kind: "slowApplier", target, applyMs: 1_500, forMs: 20_000 },
        }),
      ),
      { moment: { atMs: 6_000 }, fault: { kind: "nodeGone", target: "primary", forMs: 12_000 } },
    ],
    25_000,
  ),
  pointed([{ moment: { atMs: 2_000 }, fault: { kind: "switchover", target: "replica-1" } }], 8_000),
  pointed([{ moment: { atMs: 2_000 }, fault: { kind: "kill", target: "primary" } }], 12_000),
];

async function inOrder(server: Server, statements: readonly string[]): Promise<Outcome<null>> {
  for (const sql of statements) {
    const done = await server.query(sql);
    if (!done.ok) return done;
  }
  return succeed(null);
}

function withEngine(change: Partial<Engine>): Build {
  return { engine: { ...mysql, ...change } };
}

/** It is wrong about a server whenever it looks. */
function withFacts(wrong: (facts: ServerFacts) => ServerFacts, change: Partial<Engine> = {}): Build {
  const observe: Engine["observe"] = async (server, options) => {
    const facts = await mysql.observe(server, options);
    return facts.ok ? succeed(wrong(facts.value)) : facts;
  };
  return withEngine({
    observe,
    async standstill(server) {
      const facts = await observe(server, { survey: false });
      if (!facts.ok) return facts;
      const { readOnly: closed, acks, channel, received } = facts.value;
      const receiving = channel !== null && channel.receiver !== "off";
      return succeed({ closed, waiters: acks.waiters, receiving, received });
    },
    ...change,
  });
}

/** The second and every later read of the object within an instance gives the first answer. */
function rememberingReads(kube: Kube): Kube {
  let first: Promise<Outcome<StatefulSet>> | null = null;
  let reads = 0;
  return {
    ...kube,
    read: ((kind, ref) => {
      if (kind !== "StatefulSet") return kube.read(kind, ref);
      reads += 1;
      // Every other read is the one that the fence makes.
      if (first !== null && reads % 2 === 0) return first;
      first = kube.read("StatefulSet", ref);
      return first;
    }) as Kube["read"],
  };
}

const TERM =
  "INSERT INTO ordinal.term (epoch, cluster_uid, server_uuid, op_id, at) VALUES (?, ?, @@GLOBAL.server_uuid, ?, ?) ON DUPLICATE KEY UPDATE opened = opened + 1";

async function openUnarmed(server: Server, term: Parameters<Engine["open"]>[1]): Promise<Outcome<null>> {
  const opened = await inOrder(server, ["SET GLOBAL read_only = OFF", "SET GLOBAL offline_mode = OFF"]);
  if (!opened.ok) return opened;
  const written = await server.query(TERM, [term.epoch, term.clusterUid, term.opId, term.at]);
  return written.ok ? succeed(null) : written;
}

export const BROKEN_BUILDS: readonly BrokenBuild[] = [
  {
    what: "the fence does not read the intent again",
    caughtBy: /INV-10/,
    build: { kube: rememberingReads },
  },
  {
    what: "a primary is opened before it is armed",
    // A term row that waits for nobody is acknowledged by nobody.
    caughtBy: /INV-[1237]|is not armed/,
    build: withFacts((facts) => ({ ...facts, acks: { ...facts.acks, required: true, count: 16 } }), {
      arm: async () => succeed(null),
      open: openUnarmed,
    }),
  },
  {
    what: "a receiver is stopped by pointing it anew with both threads stopped",
    caughtBy: /INV-[16]|not in place/,
    build: withEngine({
      stopReceiving: (server) =>
        inOrder(server, [
          "STOP REPLICA",
          "CHANGE REPLICATION SOURCE TO SOURCE_HEARTBEAT_PERIOD = 2",
          "START REPLICA SQL_THREAD",
        ]),
    }),
  },
  {
    what: "an acker counts as revoked although it still receives",
    caughtBy: /INV-[123]|not in place/,
    build: withFacts(
      (facts) => ({ ...facts, channel: facts.channel && { ...facts.channel, receiver: "off" } }),
      { stopReceiving: async () => succeed(null) },
    ),
  },
  {
    what: "only what was executed is compared at an election",
    caughtBy: /INV-[1269]|not in place|rows/,
    build: withFacts((facts) => ({ ...facts, received: facts.executed }), {
      promote: (server) => inOrder(server, ["STOP REPLICA SQL_THREAD", "RESET REPLICA ALL"]),
    }),
  },
  {
    what: "a server is overwritten without asking what it holds",
    caughtBy: /INV-[169]|nowhere/,
    build: withFacts(
      (facts) => {
        const epoch = Math.max(0, ...facts.terms.map((term) => term.epoch));
        return { ...facts, archived: [...facts.archived, ...everyTail(epoch)] };
      },
      { keepTail: async () => succeed(null) },
    ),
  },
  {
    what: "the term row is not replicated, and so acknowledged by nobody",
    caughtBy: /INV-7/,
    build: withEngine({
      async open(server, term) {
        const opened = await inOrder(server, [
          "SET GLOBAL read_only = OFF",
          "SET GLOBAL offline_mode = OFF",
          "SET SESSION sql_log_bin = OFF",
        ]);
        if (!opened.ok) return opened;
        const written = await server.query(TERM, [term.epoch, term.clusterUid, term.opId, term.at]);
        return written.ok ? succeed(null) : written;
      },
    }),
  },
  {
    what: "commits wait for no acknowledgement",
    // A term row that waits for nobody is acknowledged by nobody.
    caughtBy: /INV-[1237]|is not armed/,
    build: withEngine({
      arm: (server, count) =>
        inOrder(server, [
          `SET GLOBAL rpl_semi_sync_source_wait_for_replica_count = ${Math.max(1, count)}`,
          "SET GLOBAL rpl_semi_sync_source_enabled = OFF",
        ]),
      open: openUnarmed,
    }),
  },
];

/** As if the tails of all servers that can be were kept. */
function everyTail(epoch: number): readonly { epoch: number; serverUuid: string; gtids: string }[] {
  return [0, 1, 2, 3, 4].map((ordinal) => {
    const serverUuid = `0000000${ordinal}-0000-4000-8000-000000000000`;
    const gtids = [0, 1, 2, 3, 4]
      .map((other) => `0000000${other}-0000-4000-8000-000000000000:1-100000`)
      .join(",");
    return { epoch, serverUuid, gtids };
  });
}
