/** Copying a volume, following, pointing elsewhere: what is kept, what is lost, what is refused. */
import { expect } from "vitest";
import { gtidSets } from "../../shared/engines/mysql/gtid.ts";
import { mysql } from "../../shared/engines/mysql/index.ts";
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

  run("a copy of a follower brings the channel of its donor, not running", async () => {
    const facts = await story.seed(2, 1);
    expect(facts.channel).toMatchObject({ account: "ordinal_repl_1", receiver: "off", applier: "off" });
    expect(facts.received).toBe(facts.executed);
    await story.prepare(2, "replica");
    got(await story.on(2, (server) => mysql.follow(server, story.peer(0, 2), "full")));
    const following = await story.until(2, ({ channel }) => channel?.receiver === "on");
    expect(following.channel).toMatchObject({ account: "ordinal_repl_2", applier: "on" });
  });

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

export function replicationCases(story: Story, run: Run): void {
  cloneCases(story, run);
  followCases(story, run);
}
