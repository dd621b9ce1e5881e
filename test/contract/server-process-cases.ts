/** Signals to the server's process: what its replicas notice, what its clients hear, how it comes back. */
import { expect } from "vitest";
import { mysql } from "../../shared/engines/mysql/index.ts";
import type { ServerFacts } from "../../shared/model/server.ts";
import type { Run, Story } from "./server-cases.ts";
import { APP, got, rows, TABLE } from "./server-subject.ts";

const INSERT = `INSERT INTO ${TABLE} VALUES (?)`;
/** The primary in these cases, and its replicas. */
const [PRIMARY, REPLICAS] = [1, [0, 2]] as const;

const isLeft = ({ channel }: ServerFacts): boolean => channel !== null && channel.sourceLeft !== null;
const isConnected = ({ channel }: ServerFacts): boolean => channel?.receiver === "on";

async function armed(story: Story): Promise<void> {
  got(await story.asControl(PRIMARY, (server) => mysql.arm(server, 1)));
  await story.until(PRIMARY, ({ acks }) => acks.clients === 2);
  await story.on(PRIMARY, (server) => rows(server, "SET GLOBAL read_only = OFF"));
}

function endingCases(story: Story, run: Run): void {
  run("a stream that is killed on its source was cut, and an account that is kept out says so", async () => {
    const lock = (locked: boolean) =>
      story.asControl(PRIMARY, (server) => mysql.lockAccount(server, "ordinal_repl_2", locked));
    got(await lock(true));
    const out = await story.until(2, ({ channel }) => channel?.lockedOut === true);
    expect(out.channel).toMatchObject({ receiver: "connecting", sourceLeft: "cut" });
    got(await lock(false));
    const back = await story.until(2, isConnected);
    expect(back.channel).toMatchObject({ sourceLeft: null, lockedOut: false, receiverError: null });
  });

  run("a killed primary has cut its streams, and comes back closed", async () => {
    const before = await story.facts(PRIMARY);
    await story.subject.signal(PRIMARY, "SIGKILL");
    const left = await Promise.all(REPLICAS.map((ordinal) => story.until(ordinal, isLeft)));
    expect(left.map(({ channel }) => channel?.sourceLeft)).toEqual(["cut", "cut"]);
    const after = await story.until(PRIMARY, ({ startedAtMs }) => startedAtMs > before.startedAtMs);
    expect(after).toMatchObject({ readOnly: true, acks: { required: false } });
    expect(after.executed).toBe(before.executed);
    for (const ordinal of REPLICAS) await story.until(ordinal, isConnected);
    await armed(story);
  });

  run("a primary that is ended in good order ends its streams, and answers OK to whoever waits", async () => {
    for (const ordinal of REPLICAS)
      await story.on(ordinal, (server) => rows(server, "STOP REPLICA IO_THREAD"));
    await story.until(PRIMARY, ({ followers }) => followers === 0);
    got(await story.asControl(2, (server) => mysql.acknowledge(server, false)));
    await story.on(2, (server) => rows(server, "START REPLICA IO_THREAD"));
    const before = await story.until(PRIMARY, ({ followers }) => followers === 1);
    const client = await story.subject.connect(PRIMARY, APP);
    const written = client.query(INSERT, ["false promise"], { timeoutMs: 60_000 });
    await story.until(PRIMARY, ({ acks }) => acks.waiters === 1);
    await story.subject.signal(PRIMARY, "SIGTERM");
    expect(got(await written)).toEqual([]);
    // Whoever was answered so is answered nothing more, by which the lie is known.
    expect(await client.query("SELECT @@GLOBAL.read_only AS closed")).toMatchObject({ ok: false });
    await client.close();
    expect((await story.until(2, isLeft)).channel?.sourceLeft).toBe("orderly");
    await story.until(PRIMARY, ({ startedAtMs }) => startedAtMs > before.startedAtMs);
    await story.on(0, (server) => rows(server, "START REPLICA IO_THREAD"));
    got(await story.asControl(2, (server) => mysql.acknowledge(server, true)));
    for (const ordinal of REPLICAS) await story.until(ordinal, isConnected);
    await armed(story);
  });
}

function stuckCases(story: Story, run: Run): void {
  run("with two acknowledgers too few a stop answers nobody and does not end", async () => {
    got(await story.asControl(PRIMARY, (server) => mysql.arm(server, 2)));
    for (const ordinal of REPLICAS)
      await story.on(ordinal, (server) => rows(server, "STOP REPLICA IO_THREAD"));
    const before = await story.until(PRIMARY, ({ followers }) => followers === 0);
    const client = await story.subject.connect(PRIMARY, APP);
    const written = client.query(INSERT, ["never answered"], { timeoutMs: 60_000 });
    await story.until(PRIMARY, ({ acks }) => acks.waiters === 1);
    await story.subject.signal(PRIMARY, "SIGTERM");
    expect(await written).toMatchObject({ ok: false, failure: { kind: "transient" } });
    await client.close();
    await story.subject.sleep(5_000);
    const refused = await story.subject.tryConnect(PRIMARY, story.subject.root);
    expect(refused).toMatchObject({ ok: false, failure: { kind: "transient" } });
    await story.subject.signal(PRIMARY, "SIGKILL");
    const after = await story.until(PRIMARY, ({ startedAtMs }) => startedAtMs > before.startedAtMs);
    expect(after.executed).not.toBe(before.executed);
    for (const ordinal of REPLICAS)
      await story.on(ordinal, (server) => rows(server, "START REPLICA IO_THREAD"));
    await armed(story);
  });

  run("told to acknowledge no longer, a receiver ends when its stream begins anew", async () => {
    const lock = (locked: boolean) =>
      story.asControl(PRIMARY, (server) => mysql.lockAccount(server, "ordinal_repl_2", locked));
    await story.on(2, (server) => rows(server, "SET GLOBAL rpl_semi_sync_replica_enabled = OFF"));
    expect((await story.facts(2)).acks).toMatchObject({ given: false, active: true });
    got(await lock(true));
    got(await lock(false));
    const ended = await story.until(2, ({ channel }) => channel?.receiver === "off");
    expect(ended.channel?.receiverError).toContain("13117");
    await story.on(2, (server) => rows(server, "START REPLICA IO_THREAD"));
    const again = await story.until(2, isConnected);
    expect(again).toMatchObject({ channel: { receiverError: null }, acks: { given: false, active: false } });
    got(await story.asControl(2, (server) => mysql.acknowledge(server, true)));
    await story.until(PRIMARY, ({ acks }) => acks.clients === 2);
  });
}

function silenceCases(story: Story, run: Run): void {
  run(
    "a primary that stands still is given up by its replicas, and goes on as if nothing had been",
    async () => {
      const before = await story.facts(PRIMARY);
      await story.subject.signal(PRIMARY, "SIGSTOP");
      const isSilent = ({ channel }: ServerFacts) => channel?.receiver === "on" && channel.silentMs >= 2_000;
      for (const ordinal of REPLICAS) await story.until(ordinal, isSilent);
      const isAway = ({ channel }: ServerFacts) => channel?.receiver === "connecting";
      const away = await Promise.all(REPLICAS.map((ordinal) => story.until(ordinal, isAway)));
      // Nothing is logged of a stream that only fell silent.
      expect(away.map(({ channel }) => channel?.sourceLeft)).toEqual([null, null]);
      await story.subject.signal(PRIMARY, "SIGCONT");
      for (const ordinal of REPLICAS) await story.until(ordinal, isConnected);
      const after = await story.until(PRIMARY, ({ acks }) => acks.clients === 2);
      expect(after).toMatchObject({
        startedAtMs: before.startedAtMs,
        readOnly: false,
        acks: { required: true },
      });
    },
  );

  run("a commit waits for the only acknowledger that stands still, and is done when it goes on", async () => {
    await story.on(0, (server) => rows(server, "STOP REPLICA IO_THREAD"));
    await story.until(PRIMARY, ({ followers }) => followers === 1);
    await story.subject.signal(2, "SIGSTOP");
    const client = await story.subject.connect(PRIMARY, APP);
    const written = client.query(INSERT, ["slow"], { timeoutMs: 60_000 });
    await story.subject.sleep(1_500);
    expect((await story.facts(PRIMARY)).acks).toMatchObject({ waiters: 1, clients: 1 });
    await story.subject.signal(2, "SIGCONT");
    expect(got(await written)).toEqual([]);
    await client.close();
    await story.on(0, (server) => rows(server, "START REPLICA IO_THREAD"));
    await story.until(PRIMARY, ({ acks }) => acks.clients === 2);
  });
}

function resumingCases(story: Story, run: Run): void {
  run(
    "a primary that resumes by itself is writable after a kill, and waits for its acknowledgers",
    async () => {
      await story.prepare(PRIMARY, "primary", true);
      for (const ordinal of REPLICAS) {
        await story.prepare(ordinal, "replica");
        await story.on(ordinal, (server) => rows(server, "STOP REPLICA IO_THREAD"));
      }
      const before = await story.facts(PRIMARY);
      await story.subject.signal(PRIMARY, "SIGKILL");
      const after = await story.until(PRIMARY, ({ startedAtMs }) => startedAtMs > before.startedAtMs);
      expect(after).toMatchObject({ readOnly: false, acks: { required: true, count: 1, clients: 0 } });
      const client = await story.subject.connect(PRIMARY, APP);
      const written = client.query(INSERT, ["resumed"], { timeoutMs: 60_000 });
      expect((await story.until(PRIMARY, ({ acks }) => acks.waiters === 1)).executed).toBe(before.executed);
      for (const ordinal of REPLICAS)
        await story.on(ordinal, (server) => rows(server, "START REPLICA IO_THREAD"));
      expect(got(await written)).toEqual([]);
      await client.close();
    },
  );

  run("a killed replica keeps what it received, and takes up neither thread by itself", async () => {
    const unblock = await story.subject.blockApplier(2);
    const client = await story.subject.connect(PRIMARY, APP);
    got(await client.query(INSERT, ["kept"], { timeoutMs: 60_000 }));
    await client.close();
    const { executed } = await story.facts(PRIMARY);
    const before = await story.until(2, ({ received }) => received === executed);
    expect(before.executed).not.toBe(executed);
    await story.subject.signal(2, "SIGKILL");
    await unblock();
    const after = await story.until(2, ({ startedAtMs }) => startedAtMs > before.startedAtMs);
    expect(after).toMatchObject({ executed: before.executed, received: executed, readOnly: true });
    expect(after.channel).toMatchObject({ receiver: "off", applier: "off" });
    await story.on(2, (server) => rows(server, "START REPLICA SQL_THREAD"));
    const applied = await story.until(2, (facts) => facts.executed === executed);
    expect(applied.channel).toMatchObject({ receiver: "off", applier: "on" });
  });
}

function replacedCases(story: Story, run: Run): void {
  run("a copy into a server takes its logs away, and ends whoever receives from it", async () => {
    got(await story.asControl(2, (server) => mysql.follow(server, story.peer(0, 2), "receiver")));
    const { serverUuid } = await story.facts(0);
    await story.until(2, (facts) => isConnected(facts) && facts.channel?.sourceUuid === serverUuid);
    await story.on(0, (server) => rows(server, "STOP REPLICA"));
    const { executed } = await story.facts(PRIMARY);
    const donor = story.peer(PRIMARY, 0);
    got(await story.asControl(0, (server) => mysql.seed(server, donor, 60_000, executed)));
    const ended = await story.until(2, ({ channel }) => channel?.receiver === "off");
    expect(ended.channel).toMatchObject({ starved: true, sourceLeft: "cut" });
  });
}

export function processCases(story: Story, run: Run): void {
  endingCases(story, run);
  stuckCases(story, run);
  silenceCases(story, run);
  resumingCases(story, run);
  replacedCases(story, run);
}
