/** What a change of the primary asks of servers: the verbs, what they refuse, and what clients are answered. */
import { expect } from "vitest";
import { gtidSets } from "../../shared/engines/mysql/gtid.ts";
import { mysql } from "../../shared/engines/mysql/index.ts";
import type { Position } from "../../shared/model/server.ts";
import type { Server } from "../../shared/ports/server.ts";
import { withoutFollowers } from "./server-ack-cases.ts";
import type { Run, Story } from "./server-cases.ts";
import { APP, accounts, got, refusal, rows, TABLE } from "./server-subject.ts";

const INSERT = `INSERT INTO ${TABLE} VALUES (?)`;
const TERM = { epoch: 3, clusterUid: "uid-1", opId: "op-3", ackCount: 1, at: "2026-11-24T10:00:00.000Z" };
const CONFLICT = { ok: false, failure: { kind: "conflict" } };
const TRANSIENT = { ok: false, failure: { kind: "transient" } };

const write = (story: Story, ordinal: number, value: string) =>
  story.on(ordinal, async (server) => got(await server.query(INSERT, [value])));

const executedBy = (story: Story, ordinal: number): Promise<Position> =>
  story.on(ordinal, async (server) => got(await mysql.executed(server)));

/** Both have what the primary has, so that what a case does next is all that is new. */
async function level(story: Story, primary: number): Promise<void> {
  const position = await executedBy(story, primary);
  for (const ordinal of [0, 1, 2]) {
    if (ordinal !== primary)
      await story.until(ordinal, ({ executed }) => gtidSets.contains(executed, position));
  }
}

const STILL = { waiters: 0, receiving: false } as const;

function replacingCases(story: Story, run: Run): void {
  run("a server is replaced by a copy only when all of it is covered and it is closed", async () => {
    for (const ordinal of [0, 1, 2]) await story.prepare(ordinal, ordinal === 0 ? "primary" : "replica");
    const seed = (covered: Position) =>
      story.asControl(2, (server) => mysql.seed(server, story.peer(0, 2), 60_000, covered));
    const [primary, astray] = [await story.facts(0), await story.facts(2)];
    const kept = primary.archived.filter(({ serverUuid }) => serverUuid === astray.serverUuid);
    expect(await seed(primary.executed)).toMatchObject(CONFLICT);
    const covered = kept.reduce((all, { gtids }) => gtidSets.union(all, gtids), primary.executed);
    await story.on(2, (server) => rows(server, "SET GLOBAL read_only = OFF"));
    expect(await seed(covered)).toMatchObject(CONFLICT);
    await story.on(2, (server) => rows(server, "SET GLOBAL super_read_only = ON"));
    got(await seed(covered));
    const after = await story.until(
      2,
      ({ startedAtMs, seeding }) => startedAtMs > astray.startedAtMs && seeding.kind === "done",
    );
    expect(after).toMatchObject({ serverUuid: astray.serverUuid, readOnly: true, channel: null });
    expect(gtidSets.without(after.executed, primary.serverUuid)).toBe("");
    got(await story.asControl(2, (server) => mysql.follow(server, story.peer(0, 2), "full")));
    got(await story.asControl(2, (server) => mysql.acknowledge(server, true)));
    await story.until(0, ({ acks }) => acks.clients === 2);
  });
}

function demotionCases(story: Story, run: Run): void {
  run("a primary is put out of service once its commits are done, and not before", async () => {
    await withoutFollowers(story, async () => {
      const client = await story.subject.connect(0, APP);
      const written = client.query(INSERT, ["demoted"], { timeoutMs: 60_000 });
      await story.until(0, ({ acks }) => acks.waiters === 1);
      expect(await story.asControl(0, mysql.demote)).toMatchObject(TRANSIENT);
      expect((await story.facts(0)).readOnly).toBe(false);
      await story.startReceivers();
      expect(got(await written)).toEqual([]);
      await client.close();
    });
    await level(story, 0);
    for (const _ of [1, 2]) got(await story.asControl(0, mysql.demote));
    expect(await story.facts(0)).toMatchObject({ readOnly: true, offline: false, followers: 2 });
    const refused = await story.subject.connect(0, APP);
    expect(await refusal(refused.query(INSERT, ["demoted 2"]))).toBe(1290);
    await refused.close();
    await story.on(0, (server) => rows(server, "SET GLOBAL read_only = OFF"));
  });

  run("how long the oldest commit waits is counted in whole seconds", async () => {
    await withoutFollowers(story, async () => {
      const client = await story.subject.connect(0, APP);
      const written = client.query(INSERT, ["patient"], { timeoutMs: 60_000 });
      await story.until(0, ({ acks }) => acks.waiters === 1);
      await story.subject.sleep(2_500);
      const { acks } = await story.facts(0);
      expect(acks.waitingMs).toBeGreaterThanOrEqual(2_000);
      expect(acks.waitingMs).toBeLessThanOrEqual(20_000);
      await story.startReceivers();
      expect(got(await written)).toEqual([]);
      await client.close();
      expect((await story.facts(0)).acks).toMatchObject({ waiters: 0, waitingMs: 0 });
    });
  });

  run("a commit that is there but unheard of goes on with the acknowledgement of the next", async () => {
    await withoutFollowers(story, async () => {
      // A replica that does not acknowledge receives it; one that acknowledges does not receive it again.
      got(await story.asControl(1, (server) => mysql.acknowledge(server, false)));
      await story.on(1, (server) => rows(server, "START REPLICA IO_THREAD"));
      const before = await executedBy(story, 0);
      const client = await story.subject.connect(0, APP);
      const written = client.query(INSERT, ["unheard of"], { timeoutMs: 60_000 });
      await story.until(1, ({ received }) => gtidSets.count(gtidSets.subtract(received, before)) === 1n);
      got(await story.asControl(1, (server) => mysql.acknowledge(server, true)));
      await story.until(0, ({ acks }) => acks.clients === 1);
      await story.subject.sleep(1_500);
      expect((await story.facts(0)).acks.waiters).toBe(1);
      const nudger = await story.subject.connect(0, accounts.control);
      got(await mysql.lock(nudger, "ordinal:n", 200));
      got(await mysql.nudge(nudger, 5_000));
      expect(got(await written)).toEqual([]);
      // It gave its lock back although its session is still there.
      await story.asControl(0, async (other) =>
        expect(got(await mysql.lock(other, "ordinal:n", 200))).toBeNull(),
      );
      for (const session of [nudger, client]) await session.close();
      await story.on(2, (server) => rows(server, "START REPLICA IO_THREAD"));
    });
  });
}

function hadCases(story: Story, run: Run): void {
  const on = (ordinal: number, sql: string) => story.on(ordinal, (server) => rows(server, sql));
  const follow = (source: number) =>
    story.asControl(2, async (server) => got(await mysql.follow(server, story.peer(source, 2), "receiver")));

  run(
    "what an acknowledger had when it came it is not sent and never acknowledges, and the applier waits",
    async () => {
      await level(story, 0);
      await on(1, "STOP REPLICA SQL_THREAD");
      await write(story, 0, "had");
      const all = await executedBy(story, 0);
      await story.until(2, ({ executed }) => gtidSets.contains(executed, all));
      await story.until(1, ({ received }) => gtidSets.contains(received, all));
      await on(1, "SET GLOBAL rpl_semi_sync_source_enabled = ON");
      await follow(1);
      await story.until(1, ({ acks }) => acks.clients === 1);
      await on(1, "START REPLICA SQL_THREAD");
      await story.until(1, ({ acks }) => acks.waiters === 1);
      const before = await executedBy(story, 1);
      await write(story, 0, "behind it");
      await story.subject.sleep(1_500);
      expect(await story.facts(1)).toMatchObject({ executed: before, acks: { waiters: 1 } });
      await on(1, "SET GLOBAL rpl_semi_sync_source_enabled = OFF");
      await follow(0);
      await level(story, 0);
      await story.until(0, ({ acks }) => acks.clients === 2);
    },
  );
}

function fencingCases(story: Story, run: Run): void {
  run("a server that lets applications in is not ended", async () => {
    const { startedAtMs } = await story.facts(0);
    expect(await story.asControl(0, mysql.restart)).toMatchObject(CONFLICT);
    expect((await story.facts(0)).startedAtMs).toBe(startedAtMs);
  });

  run("fenced, applications and receivers are out, and no commit that waits is answered OK", async () => {
    got(await story.asControl(0, (server) => mysql.arm(server, 2)));
    await withoutFollowers(story, async () => {
      const [idle, waiting] = [await story.subject.connect(0, APP), await story.subject.connect(0, APP)];
      const written = waiting.query(INSERT, ["fenced"], { timeoutMs: 60_000 });
      await story.until(0, ({ acks }) => acks.waiters === 1);
      for (const _ of [1, 2]) got(await story.asControl(0, mysql.fence));
      expect(await written).toMatchObject(TRANSIENT);
      expect(await idle.query("SELECT VERSION() AS version")).toMatchObject(TRANSIENT);
      const again = await story.subject.tryConnect(0, APP);
      expect(again).toMatchObject({ ok: false, failure: { kind: "transient", code: 3032 } });
      const facts = await story.facts(0);
      // Read-only could not take effect behind the commit that still waits; it will after a restart.
      expect(facts).toMatchObject({ offline: true, readOnly: false, followers: 0, acks: { waiters: 1 } });
      expect(facts.settings["persisted:super_read_only"]).toBe("ON");
      const covered = await story.asControl(0, (server) =>
        mysql.seed(server, story.peer(1, 0), 5_000, facts.executed),
      );
      expect(covered).toMatchObject(CONFLICT);
      await story.on(1, (server) => rows(server, "START REPLICA IO_THREAD"));
      const { channel } = await story.until(1, (one) => one.channel?.receiverError != null);
      expect(channel).toMatchObject({ receiver: "connecting", lockedOut: false });
      expect(channel?.receiverError).toContain("3032");
      for (const session of [idle, waiting]) await session.close();
    });
  });

  run("ended then, it comes back closed, and what had waited is executed", async () => {
    const before = await story.facts(0);
    got(await story.asControl(0, mysql.restart));
    const after = await story.until(0, ({ startedAtMs }) => startedAtMs > before.startedAtMs);
    expect(after).toMatchObject({ readOnly: true, offline: false, acks: { required: false, waiters: 0 } });
    expect(gtidSets.count(gtidSets.subtract(after.executed, before.executed))).toBe(1n);
    await story.on(2, (server) => rows(server, "START REPLICA IO_THREAD"));
    await level(story, 0);
    got(await story.asControl(0, (server) => mysql.arm(server, 1)));
    await story.until(0, ({ acks }) => acks.clients === 2);
    got(await story.asControl(0, (server) => mysql.open(server, { ...TERM, epoch: 2 }, 10_000)));
  });
}

function promotionCases(story: Story, run: Run): void {
  run("a receiver is stopped and what it received goes on being executed", async () => {
    await level(story, 0);
    expect(got(await story.asControl(2, mysql.standstill))).toMatchObject({ ...STILL, receiving: true });
    await story.on(2, (server) => rows(server, "STOP REPLICA SQL_THREAD"));
    const unblock = await story.subject.blockApplier(1);
    const before = await executedBy(story, 0);
    await write(story, 0, "received");
    const all = await executedBy(story, 0);
    for (const ordinal of [1, 2]) {
      await story.until(ordinal, ({ received }) => gtidSets.contains(received, all));
      for (const _ of [1, 2]) got(await story.asControl(ordinal, mysql.stopReceiving));
    }
    const blocked = await story.facts(1);
    expect(blocked).toMatchObject({ executed: before, channel: { receiver: "off", applier: "on" } });
    expect(gtidSets.contains(blocked.received, all)).toBe(true);
    const { received } = blocked;
    expect(got(await story.asControl(1, mysql.standstill))).toEqual({ ...STILL, closed: true, received });
    // An applier that stood still has been started for it.
    const started = await story.until(2, ({ executed }) => gtidSets.contains(executed, all));
    expect(started.channel).toMatchObject({ receiver: "off", applier: "on" });
    expect(await story.asControl(1, (server) => mysql.promote(server, 700))).toMatchObject(TRANSIENT);
    expect((await story.facts(1)).channel).toMatchObject({ receiver: "off", applier: "on" });
    await unblock();
  });

  run("a server that receives, or takes writes, is not promoted", async () => {
    const promote = (server: Server) => mysql.promote(server, 2_000);
    await story.on(2, (server) => rows(server, "START REPLICA IO_THREAD"));
    expect(await story.asControl(2, promote)).toMatchObject(CONFLICT);
    await story.on(2, (server) => rows(server, "STOP REPLICA IO_THREAD"));
    await story.on(2, (server) => rows(server, "SET GLOBAL read_only = OFF"));
    expect(await story.asControl(2, promote)).toMatchObject(CONFLICT);
    await story.on(2, (server) => rows(server, "SET GLOBAL super_read_only = ON"));
    expect((await story.facts(2)).channel).toMatchObject({ receiver: "off", applier: "on" });
  });

  run("promoted, a server has executed all that it received, follows nobody and is closed", async () => {
    for (const _ of [1, 2]) got(await story.asControl(1, (server) => mysql.promote(server, 10_000)));
    const facts = await story.facts(1);
    expect(facts).toMatchObject({ readOnly: true, channel: null, followers: 0 });
    expect(facts.executed).toBe(await executedBy(story, 0));
    const { received } = facts;
    expect(got(await story.asControl(1, mysql.standstill))).toEqual({ ...STILL, closed: true, received });
    got(await story.asControl(1, mysql.stopReceiving));
  });
}

function changeCases(story: Story, run: Run): void {
  run("opened as the primary, an offline server lets applications in again", async () => {
    got(await story.asControl(0, mysql.demote));
    await story.on(1, (server) => rows(server, "SET GLOBAL offline_mode = ON"));
    await story.asControl(1, async (server) => got(await mysql.arm(server, 1)));
    await story.asControl(2, async (server) => got(await mysql.follow(server, story.peer(1, 2), "receiver")));
    await story.on(1, (server) => rows(server, "SET GLOBAL offline_mode = OFF"));
    await story.until(1, ({ acks }) => acks.clients === 1);
    await story.on(1, (server) => rows(server, "SET GLOBAL offline_mode = ON"));
    // The acknowledger was cut off too, and comes back only when the server is open.
    await story.until(1, ({ acks }) => acks.clients === 0);
    got(await story.asControl(1, (server) => mysql.open(server, TERM, 20_000)));
    expect(await story.facts(1)).toMatchObject({ offline: false, readOnly: false, acks: { required: true } });
    const client = await story.subject.connect(1, APP);
    got(await client.query(INSERT, ["from the next primary"], { timeoutMs: 20_000 }));
    await client.close();
  });

  run("made to follow, a fenced server is no longer offline, and stays closed", async () => {
    got(await story.asControl(0, mysql.fence));
    expect(await story.facts(0)).toMatchObject({ offline: true, readOnly: true });
    // What it required as the primary, its applier would wait for.
    await story.prepare(0, "replica");
    expect((await story.facts(0)).acks.required).toBe(false);
    got(await story.asControl(0, (server) => mysql.follow(server, story.peer(1, 0), "full")));
    got(await story.asControl(0, (server) => mysql.acknowledge(server, true)));
    await level(story, 1);
    expect(await story.facts(0)).toMatchObject({
      offline: false,
      readOnly: true,
      channel: { receiver: "on" },
    });
  });
}

export function changeOfPrimaryCases(story: Story, run: Run): void {
  replacingCases(story, run);
  demotionCases(story, run);
  hadCases(story, run);
  fencingCases(story, run);
  promotionCases(story, run);
  changeCases(story, run);
}
