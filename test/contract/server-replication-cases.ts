/** Copying a volume, following, pointing elsewhere: what is kept, what is lost, what is refused. */
import { expect } from "vitest";
import { gtidSets } from "../../shared/engines/mysql/gtid.ts";
import { mysql } from "../../shared/engines/mysql/index.ts";
import type { Channel } from "../../shared/model/server.ts";
import type { Run, Story } from "./server-cases.ts";
import { accounts, got, refusal, rows, TABLE } from "./server-subject.ts";

function cloneCases(story: Story, run: Run): void {
  run("a copy needs a donor that was named", async () => {
    const { username, password } = accounts.replication(1);
    const host = story.subject.host(0);
    const clone = `CLONE INSTANCE FROM '${username}'@'${host}':3306 IDENTIFIED BY '${password}' REQUIRE SSL`;
    await story.on(1, async (server) => {
      expect(await refusal(server.query(clone))).toBe(3869);
    });
  });

  run("a copy brings the donor's data, accounts and positions, and keeps identity and settings", async () => {
    const [before, donor] = [await story.facts(1), await story.facts(0)];
    const after = await story.seed(1, 0);
    expect(after.serverUuid).toBe(before.serverUuid);
    expect(after.settings["server_id"]).toBe(before.settings["server_id"]);
    expect(after.survey?.schemas).toEqual(["shop"]);
    expect(after).toMatchObject({ readOnly: true, channel: null });
    expect(gtidSets.contains(after.executed, donor.executed)).toBe(true);
    expect(gtidSets.without(after.executed, donor.serverUuid)).toBe("");
    expect(gtidSets.contains(after.purged, donor.executed)).toBe(true);
    const again = await story.on(1, (server) => mysql.seed(server, story.peer(0, 1), 60_000, null));
    expect(again).toMatchObject({ ok: false, failure: { kind: "conflict" } });
  });
}

/** Member 2 has nothing of the others yet; it is given a channel, and ends without one. */
function refusalCases(story: Story, run: Run): void {
  const source = (): string => {
    const { host, port, account } = story.peer(1, 2);
    return `SOURCE_HOST = '${host}', SOURCE_PORT = ${port}, SOURCE_USER = '${account.username}',
      SOURCE_PASSWORD = '${account.password}', SOURCE_SSL = 1, SOURCE_AUTO_POSITION = 1`;
  };
  const ended = async (): Promise<Channel | null> =>
    (await story.until(2, ({ channel }) => channel?.receiverError != null && channel.receiver === "off"))
      .channel;

  run("a receiver ends when its source no longer has what it lacks, and is not tried again", async () => {
    await story.on(2, (server) => rows(server, `CHANGE REPLICATION SOURCE TO ${source()}`));
    await story.on(2, (server) => rows(server, "START REPLICA"));
    expect((await ended())?.receiverError).toContain("(13114)");
    const { serverUuid } = await story.facts(1);
    expect((await story.facts(2)).channel).toMatchObject({ sourceUuid: serverUuid, applier: "on" });
  });

  run("a receiver ends when its source has the same number", async () => {
    await story.on(2, async (server) => {
      const [row] = await rows(server, "SELECT @@GLOBAL.server_id AS number");
      const number = row?.["number"];
      await rows(server, `SET GLOBAL server_id = ${(await story.facts(1)).settings["server_id"]}`);
      await rows(server, "START REPLICA IO_THREAD");
      expect((await ended())?.receiverError).toContain("(13117)");
      await rows(server, `SET GLOBAL server_id = ${number}`);
      await rows(server, "STOP REPLICA");
      await rows(server, "RESET REPLICA ALL");
    });
    expect((await story.facts(2)).channel).toBeNull();
  });
}

/** Member 2 receives from member 1, which receives from member 0. */
function numberCases(story: Story, run: Run): void {
  run("what bears a receiver's own number it throws away, and gets only under another number", async () => {
    got(await story.on(2, (server) => mysql.follow(server, story.peer(1, 2), "receiver")));
    const [{ settings, executed }, { settings: own }] = [await story.facts(0), await story.facts(2)];
    await story.until(2, (facts) => gtidSets.contains(facts.executed, executed));
    await story.on(2, (server) => rows(server, `SET GLOBAL server_id = ${settings["server_id"]}`));
    await story.on(0, async (server) => got(await server.query(`INSERT INTO ${TABLE} VALUES (?)`, ["own"])));
    const all = (await story.facts(0)).executed;
    await story.until(1, (facts) => gtidSets.contains(facts.executed, all));
    await story.subject.sleep(1_500);
    const without = await story.facts(2);
    expect(without).toMatchObject({ executed, received: executed, channel: { receiver: "on" } });
    await story.on(2, (server) => rows(server, `SET GLOBAL server_id = ${own["server_id"]}`));
    got(await story.on(2, (server) => mysql.follow(server, story.peer(0, 2), "receiver")));
    await story.until(2, (facts) => gtidSets.contains(facts.executed, all));
  });
}

function followCases(story: Story, run: Run): void {
  run("a follower has what its source writes", async () => {
    await story.prepare(1, "replica");
    for (const _ of [1, 2])
      got(await story.on(1, (server) => mysql.follow(server, story.peer(0, 1), "full")));
    await story.on(0, async (server) => got(await server.query(`INSERT INTO ${TABLE} VALUES (?)`, ["one"])));
    const source = await story.facts(0);
    const facts = await story.until(1, ({ executed }) => gtidSets.contains(executed, source.executed));
    expect(facts.channel).toMatchObject({
      sourceUuid: source.serverUuid,
      sourceHost: story.subject.host(0),
      account: "ordinal_repl_1",
      receiver: "on",
      applier: "on",
      autoPosition: true,
      tls: true,
    });
    expect(source.followers).toBe(1);
  });

  refusalCases(story, run);

  run("a copy of a follower brings the channel of its donor, not running", async () => {
    const facts = await story.seed(2, 1);
    expect(facts.channel).toMatchObject({ account: "ordinal_repl_1", receiver: "off", applier: "off" });
    expect(facts.received).toBe(facts.executed);
    await story.prepare(2, "replica");
    got(await story.on(2, (server) => mysql.follow(server, story.peer(0, 2), "full")));
    const following = await story.until(2, ({ channel }) => channel?.receiver === "on");
    expect(following.channel).toMatchObject({ account: "ordinal_repl_2", applier: "on" });
  });

  numberCases(story, run);

  run("while the applier runs only the receiver can be pointed elsewhere", async () => {
    await story.on(1, async (server) => {
      const host = `CHANGE REPLICATION SOURCE TO SOURCE_HOST = '${story.subject.host(0)}'`;
      expect(await refusal(server.query(host))).toBe(3021);
      await rows(server, "STOP REPLICA IO_THREAD");
      expect(await refusal(server.query(`${host}, SOURCE_AUTO_POSITION = 1`))).toBe(3081);
      expect(await refusal(server.query(host))).toBeNull();
      await rows(server, "START REPLICA IO_THREAD");
    });
    await story.until(1, ({ channel }) => channel?.receiver === "on");
    for (const how of ["receiver", "full"] as const) {
      got(await story.on(1, (server) => mysql.follow(server, story.peer(0, 1), how)));
    }
  });

  run("a wait for a position ends when it is there, and when the time is up", async () => {
    const position = got(await story.on(0, mysql.executed));
    expect(got(await story.on(1, (server) => mysql.awaitExecuted(server, position, 5_000)))).toBeNull();
    const unheard = "3e11fa47-71ca-11e1-9e33-c80aa9429562:7";
    const late = await story.on(1, (server) => mysql.awaitExecuted(server, unheard, 300));
    expect(late).toMatchObject({ ok: false, failure: { kind: "transient" } });
  });

  run("a locked account is put out and kept out, and its owner says so", async () => {
    got(await story.on(0, (server) => mysql.lockAccount(server, "ordinal_repl_2", true)));
    const out = await story.until(2, ({ channel }) => channel?.receiverError != null);
    expect(out.channel).toMatchObject({ receiver: "connecting" });
    expect(out.channel?.receiverError).toMatch(/locked/i);
    expect((await story.facts(0)).followers).toBe(1);
    got(await story.on(0, (server) => mysql.lockAccount(server, "ordinal_repl_2", false)));
    await story.until(2, ({ channel }) => channel?.receiver === "on" && channel.receiverError === null);
  });

  run("locking is no transaction: it waits for nobody and nobody else learns of it", async () => {
    const before = got(await story.on(0, mysql.executed));
    got(await story.on(0, (server) => mysql.lockAccount(server, "ordinal_repl_0", true)));
    got(await story.on(0, (server) => mysql.lockAccount(server, "ordinal_repl_0", false)));
    expect(got(await story.on(0, mysql.executed))).toBe(before);
  });
}

/** Member 2 is away while its source deletes the logs of what it lacks; member 1 has received all of it. */
function purgeCases(story: Story, run: Run): void {
  const GONE = "PURGE BINARY LOGS BEFORE NOW() + INTERVAL 1 DAY";

  run("a receiver whose place is in no log any more ends, and one that was there goes on", async () => {
    await story.on(2, (server) => rows(server, "STOP REPLICA"));
    await story.on(0, async (server) => got(await server.query(`INSERT INTO ${TABLE} VALUES (?)`, ["gone"])));
    const { executed } = await story.facts(0);
    await story.until(1, (facts) => gtidSets.contains(facts.executed, executed));
    await story.on(0, async (server) => {
      await rows(server, "FLUSH BINARY LOGS");
      // A file that is still being sent is not deleted, so it may take another attempt.
      for (let attempt = 1; ; attempt += 1) {
        await rows(server, GONE);
        if (gtidSets.contains((await story.facts(0)).purged, executed)) break;
        if (attempt === 20) throw new Error("the logs are still there");
        await story.subject.sleep(250);
      }
    });
    await story.on(2, (server) => rows(server, "START REPLICA"));
    const away = await story.until(2, ({ channel }) => channel?.receiver === "off");
    expect(away.channel).toMatchObject({ starved: true, applier: "on", applierError: null });
    expect(away.channel?.receiverError).toContain("(13114)");
    expect(gtidSets.contains(away.received, (await story.facts(0)).purged)).toBe(false);
    await story.on(0, async (server) =>
      got(await server.query(`INSERT INTO ${TABLE} VALUES (?)`, ["after"])),
    );
    const after = (await story.facts(0)).executed;
    const { channel } = await story.until(1, (facts) => gtidSets.contains(facts.executed, after));
    expect(channel).toMatchObject({ receiver: "on", starved: false });
  });

  run("it is made anew only when all that it has is covered, and goes on with what it lacked", async () => {
    const { executed } = await story.facts(0);
    const uncovered = gtidSets.subtract(executed, (await story.facts(2)).executed);
    const copy = (covered: string) =>
      story.on(2, (server) => mysql.seed(server, story.peer(1, 1), 60_000, covered));
    expect(await copy(uncovered)).toMatchObject({ ok: false, failure: { kind: "conflict" } });
    const { startedAtMs } = await story.facts(2);
    got(await copy(executed));
    const anew = await story.until(2, (facts) => facts.startedAtMs > startedAtMs);
    expect(anew.seeding.kind).toBe("done");
    await story.prepare(2, "replica");
    got(await story.on(2, (server) => mysql.follow(server, story.peer(0, 2), "full")));
    await story.until(2, (facts) => gtidSets.contains(facts.executed, executed));
    expect(await story.subject.values(2)).toEqual(expect.arrayContaining(["gone", "after"]));
  });
}

export function replicationCases(story: Story, run: Run): void {
  cloneCases(story, run);
  followCases(story, run);
  purgeCases(story, run);
}
