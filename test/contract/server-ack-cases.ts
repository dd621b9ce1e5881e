/** Who acknowledges, who waits, what ends the wait: with the answers that a client gets. */
import { expect } from "vitest";
import { gtidSets } from "../../shared/engines/mysql/gtid.ts";
import { mysql } from "../../shared/engines/mysql/index.ts";
import type { Run, Story } from "./server-cases.ts";
import { got, refusal, rows, TABLE } from "./server-subject.ts";

const TERM = { epoch: 1, clusterUid: "uid-1", opId: "op-1", ackCount: 1, at: "2026-11-23T10:00:00.000Z" };
const INSERT = `INSERT INTO ${TABLE} VALUES (?)`;

function armingCases(story: Story, run: Run): void {
  run("a follower acknowledges once its receiver has reconnected, and the source counts it", async () => {
    for (const ordinal of [1, 2]) got(await story.on(ordinal, (server) => mysql.acknowledge(server, true)));
    const source = await story.until(0, ({ acks }) => acks.clients === 2);
    expect(source.acks).toMatchObject({ required: false, waiters: 0 });
    expect((await story.facts(1)).acks).toMatchObject({ given: true, active: true });
  });

  run("a primary is opened only armed, armed only with enough followers, and proves it", async () => {
    const early = await story.on(0, (server) => mysql.open(server, TERM, 5_000));
    expect(early).toMatchObject({ ok: false, failure: { kind: "conflict" } });
    const many = await story.on(0, (server) => mysql.arm(server, 3));
    expect(many).toMatchObject({ ok: false, failure: { kind: "conflict" } });
    got(await story.on(0, (server) => mysql.arm(server, 1)));
    got(await story.on(0, (server) => mysql.open(server, TERM, 5_000)));
    const facts = await story.facts(0);
    expect(facts.acks).toMatchObject({ required: true, count: 1, clients: 2 });
    expect(facts.terms).toEqual([{ epoch: 1, opened: 1, clusterUid: "uid-1", serverUuid: facts.serverUuid }]);
    const other = await story.until(1, ({ terms }) => terms.length === 1);
    expect(other.terms).toEqual(facts.terms);
  });
}

export async function withoutFollowers(story: Story, work: () => Promise<void>): Promise<void> {
  for (const ordinal of [1, 2]) await story.on(ordinal, (server) => rows(server, "STOP REPLICA IO_THREAD"));
  await story.until(0, ({ followers }) => followers === 0);
  await work();
}

function countCases(story: Story, run: Run): void {
  async function lowering(stopped: readonly number[]): Promise<{ waitsStill: boolean }> {
    got(await story.on(0, (server) => mysql.arm(server, 2)));
    for (const ordinal of stopped)
      await story.on(ordinal, (server) => rows(server, "STOP REPLICA IO_THREAD"));
    await story.until(0, ({ followers }) => followers === 2 - stopped.length);
    const client = await story.subject.connect(0);
    let answered = false;
    const written = client.query(INSERT, [`lowered ${stopped.length}`], { timeoutMs: 60_000 });
    void written.then(() => {
      answered = true;
    });
    await story.until(0, ({ acks }) => acks.waiters === 1);
    // Long enough for the acknowledgement of whoever still follows.
    await story.subject.sleep(300);
    expect(answered).toBe(false);
    got(await story.on(0, (server) => mysql.arm(server, 1)));
    await story.subject.sleep(300);
    const waitsStill = !answered;
    await story.startReceivers();
    expect(got(await written)).toEqual([]);
    await client.close();
    expect((await story.until(0, ({ acks }) => acks.clients === 2)).acks).toMatchObject({
      count: 1,
      waiters: 0,
    });
    return { waitsStill };
  }

  run("a lower count answers the commits that so many have acknowledged", async () => {
    expect(await lowering([2])).toEqual({ waitsStill: false });
  });

  run("a lower count answers no commit that nobody has acknowledged", async () => {
    expect(await lowering([1, 2])).toEqual({ waitsStill: true });
  });
}

function waitingCases(story: Story, run: Run): void {
  run("without followers a commit waits, is not executed yet, and blocks being closed", async () => {
    await withoutFollowers(story, async () => {
      const before = (await story.facts(0)).executed;
      const client = await story.subject.connect(0);
      const written = client.query(INSERT, ["waits"], { timeoutMs: 60_000 });
      const waiting = await story.until(0, ({ acks }) => acks.waiters === 1);
      expect(waiting.executed).toBe(before);
      const closing = story.on(0, (server) => refusal(server.query("SET GLOBAL super_read_only = ON")));
      expect(await closing).toBe(1205);
      expect((await story.facts(0)).readOnly).toBe(false);
      const fewer = await story.on(0, (server) => mysql.arm(server, 0));
      expect(fewer).toMatchObject({ ok: false, failure: { kind: "transient" } });
      await story.startReceivers();
      expect(got(await written)).toEqual([]);
      await client.close();
      const after = await story.facts(0);
      expect(gtidSets.contains(after.executed, before)).toBe(true);
      expect(after.executed).not.toBe(before);
    });
  });

  run("a session that waits keeps its lock when it is lost, until it is acknowledged", async () => {
    await withoutFollowers(story, async () => {
      const holder = await story.subject.connect(0);
      got(await mysql.lock(holder, "ordinal:b", 200));
      const written = await holder.query(INSERT, ["lost"], { timeoutMs: 1_500 });
      expect(written).toMatchObject({ ok: false, failure: { kind: "transient" } });
      expect((await story.facts(0)).acks.waiters).toBe(1);
      const second = await story.on(0, (server) => mysql.lock(server, "ordinal:b", 300));
      expect(second).toMatchObject({ ok: false, failure: { kind: "conflict" } });
      await story.startReceivers();
      const third = await story.on(0, (server) => mysql.lock(server, "ordinal:b", 20_000));
      expect(got(third)).toBeNull();
    });
  });

  run("a new file of the binary log waits for every commit, and commits that come wait for it", async () => {
    await withoutFollowers(story, async () => {
      const { executed } = await story.facts(0);
      const [first, second] = [await story.subject.connect(0), await story.subject.connect(0)];
      const old = first.query(INSERT, ["old file"], { timeoutMs: 60_000 });
      await story.until(0, ({ acks }) => acks.waiters === 1);
      const flushed = await story.on(0, (server) =>
        server.query("FLUSH BINARY LOGS", [], { timeoutMs: 1_500 }),
      );
      expect(flushed).toMatchObject({ ok: false, failure: { kind: "transient" } });
      const later = second.query(INSERT, ["new file"], { timeoutMs: 60_000 });
      await story.subject.sleep(500);
      const tail = got(await story.asControl(0, (server) => mysql.readTail(server, executed)));
      expect(tail.transactions).toHaveLength(1);
      await story.startReceivers();
      expect([got(await old), got(await later)]).toEqual([[], []]);
      for (const client of [first, second]) await client.close();
    });
  });

  run("switching the wait off answers OK to what was never acknowledged", async () => {
    await withoutFollowers(story, async () => {
      const client = await story.subject.connect(0);
      const written = client.query(INSERT, ["unheard"], { timeoutMs: 60_000 });
      await story.until(0, ({ acks }) => acks.waiters === 1);
      await story.on(0, (server) => rows(server, "SET GLOBAL rpl_semi_sync_source_enabled = OFF"));
      expect(got(await written)).toEqual([]);
      await client.close();
      await story.startReceivers();
      got(await story.on(0, (server) => mysql.arm(server, 0)));
    });
  });

  run("handed over, a restart replicates and requires acknowledgements by itself", async () => {
    got(await story.on(0, (server) => mysql.handOver(server, "primary", 1)));
    for (const ordinal of [1, 2])
      got(await story.on(ordinal, (server) => mysql.handOver(server, "replica", 1)));
    const before = await story.facts(0);
    await Promise.all([0, 1, 2].map((ordinal) => story.subject.restart(ordinal)));
    const primary = await story.until(
      0,
      ({ startedAtMs, acks }) => startedAtMs > before.startedAtMs && acks.clients > 0,
    );
    expect(primary).toMatchObject({ readOnly: false, acks: { required: true, count: 1 } });
    const replica = await story.until(1, ({ channel }) => channel?.receiver === "on");
    expect(replica).toMatchObject({ readOnly: true, acks: { given: true } });
  });
}

export function acknowledgementCases(story: Story, run: Run): void {
  armingCases(story, run);
  countCases(story, run);
  waitingCases(story, run);
}
