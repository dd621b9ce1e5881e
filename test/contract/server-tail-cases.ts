/** Errant tails: what only one server holds is read from its logs and kept in the tables of the primary. */
import { expect } from "vitest";
import { gtidSets } from "../../shared/engines/mysql/gtid.ts";
import { mysql } from "../../shared/engines/mysql/index.ts";
import type { Position } from "../../shared/model/server.ts";
import type { Tail } from "../../shared/ports/engine.ts";
import { losing } from "../support/losing.ts";
import type { Run, Story } from "./server-cases.ts";
import { got, rows, TABLE } from "./server-subject.ts";

const AS = { epoch: 2, clusterUid: "uid-1", at: "2026-11-24T10:00:00.000Z" };
const LIMITS = { bytesMax: 1_000_000, timeoutMs: 20_000 };

async function tailOf(story: Story, ordinal: number, beyond: Position): Promise<Tail> {
  return got(await story.asControl(ordinal, (server) => mysql.readTail(server, beyond)));
}

const keep = (story: Story, tail: Tail) => story.asControl(0, (server) => mysql.keepTail(server, tail, AS));

/** Writes on a replica, as somebody with too many rights does. */
async function writeAstray(story: Story, ordinal: number, values: readonly string[]): Promise<void> {
  await story.on(ordinal, async (server) => {
    await rows(server, "STOP REPLICA");
    await rows(server, "SET GLOBAL read_only = OFF");
    for (const value of values) got(await server.query(`INSERT INTO ${TABLE} VALUES (?)`, [value]));
    await rows(server, "SET GLOBAL super_read_only = ON");
  });
}

function readingCases(story: Story, run: Run): void {
  run("a server that holds nothing of its own has an empty tail", async () => {
    const { executed } = await story.facts(0);
    await story.until(1, (facts) => gtidSets.contains(facts.executed, executed));
    const { serverUuid } = await story.facts(1);
    expect(await tailOf(story, 1, executed)).toEqual({ serverUuid, gtids: "", transactions: [] });
  });

  run("a tail is what only this server holds, each transaction by itself and in order", async () => {
    await writeAstray(story, 2, ["astray 1", "astray 2"]);
    const [primary, astray] = [await story.facts(0), await story.facts(2)];
    const missing = gtidSets.subtract(astray.executed, primary.executed);
    const tail = await tailOf(story, 2, primary.executed);
    expect(tail).toMatchObject({ serverUuid: astray.serverUuid, gtids: missing });
    expect(gtidSets.count(missing)).toBe(2n);
    const [first = "", second = ""] = tail.transactions.map(({ gtid }) => gtid);
    expect(gtidSets.union(first, second)).toBe(missing);
    expect(Number(second.split(":")[1])).toBe(Number(first.split(":")[1]) + 1);
    for (const { events } of tail.transactions) expect(events.length).toBeGreaterThan(100);
    const beyond = gtidSets.union(primary.executed, first);
    expect((await tailOf(story, 2, beyond)).transactions).toEqual(tail.transactions.slice(1));
  });

  run("transactions that a server has lost are no reason not to read the others", async () => {
    const [primary, astray] = [await story.facts(0), await story.facts(2)];
    const lost = gtidSets.union(primary.executed, `${astray.serverUuid}:1000-1001`);
    expect(await tailOf(story, 2, lost)).toEqual(await tailOf(story, 2, primary.executed));
  });

  run("a commit that still waits for its acknowledgement belongs to the tail", async () => {
    for (const ordinal of [1, 2]) await story.on(ordinal, (server) => rows(server, "STOP REPLICA IO_THREAD"));
    await story.until(0, ({ followers }) => followers === 0);
    const { executed } = await story.facts(0);
    const client = await story.subject.connect(0);
    const written = client.query(`INSERT INTO ${TABLE} VALUES (?)`, ["waiting"], { timeoutMs: 60_000 });
    await story.until(0, ({ acks }) => acks.waiters === 1);
    const tail = await tailOf(story, 0, executed);
    expect(tail.transactions).toHaveLength(1);
    expect((await tailOf(story, 0, gtidSets.union(executed, tail.gtids))).transactions).toEqual([]);
    await story.on(1, (server) => rows(server, "START REPLICA IO_THREAD"));
    got(await written);
    await client.close();
    const { executed: after } = await story.facts(0);
    expect(gtidSets.subtract(after, executed)).toBe(tail.gtids);
  });

  run("what would be too much, or is no longer in the logs, is refused", async () => {
    const { executed } = await story.facts(0);
    await story.asControl(2, async (server) => {
      const much = await server.readLog(executed, { ...LIMITS, bytesMax: 100 });
      expect(much).toMatchObject({ ok: false, failure: { kind: "refused" } });
      const purged = { ok: false, failure: { kind: "refused", code: 1236 } };
      expect(await server.readLog("", LIMITS)).toMatchObject(purged);
      expect(await mysql.readTail(server, "")).toMatchObject(purged);
    });
  });
}

function keepingCases(story: Story, run: Run): void {
  run("cut off anywhere, a tail is not said to be kept before all of it is", async () => {
    const tail = await tailOf(story, 2, (await story.facts(0)).executed);
    const asEpoch = { ...AS, epoch: 1 };
    const said: boolean[] = [];
    for (let statements = 1; ; statements += 1) {
      const cut = await story.asControl(0, (server) =>
        mysql.keepTail(losing(server, statements), tail, asEpoch),
      );
      const { archived, executed } = await story.facts(0);
      if (archived.length > 0) {
        got(await story.asControl(0, (server) => mysql.keepTail(server, tail, asEpoch)));
        expect((await story.facts(0)).executed).toBe(executed);
      }
      said.push(archived.length > 0);
      if (cut.ok) break;
    }
    // After it looked, wrote, read back, said so without hearing the answer, and with it.
    expect(said).toEqual([false, false, false, true, true]);
  });

  run("a tail is kept once, however often, and every server learns that it is", async () => {
    const tail = await tailOf(story, 2, (await story.facts(0)).executed);
    const { archived: earlier } = await story.facts(0);
    got(await keep(story, tail));
    const facts = await story.facts(0);
    const archived = [{ epoch: 2, serverUuid: tail.serverUuid, gtids: tail.gtids }, ...earlier];
    expect(facts.archived).toEqual(archived);
    got(await keep(story, tail));
    expect((await story.facts(0)).executed).toBe(facts.executed);
    const replica = await story.until(1, (there) => there.archived.length > 1);
    expect(replica.archived).toEqual(archived);
  });

  run("what came later is added, and another epoch has its own", async () => {
    await writeAstray(story, 2, ["astray 3"]);
    const tail = await tailOf(story, 2, (await story.facts(0)).executed);
    expect(tail.transactions).toHaveLength(3);
    const { serverUuid, gtids } = tail;
    got(await keep(story, tail));
    expect((await story.facts(0)).archived[0]).toEqual({ epoch: 2, serverUuid, gtids });
    const last = tail.transactions.slice(2);
    const short = { serverUuid, gtids: last[0]?.gtid ?? "", transactions: last };
    got(await story.asControl(0, (server) => mysql.keepTail(server, short, { ...AS, epoch: 3 })));
    expect((await story.facts(0)).archived.slice(0, 2)).toEqual([
      { epoch: 3, serverUuid, gtids: short.gtids },
      { epoch: 2, serverUuid, gtids },
    ]);
  });

  run(
    "long transactions are kept in parts, and another one with the same GTID beside the first",
    async () => {
      const gtid = "3e11fa47-71ca-11e1-9e33-c80aa9429562:7";
      const tailOfBytes = (fill: number): Tail => ({
        serverUuid: gtid.slice(0, 36),
        gtids: gtid,
        transactions: [{ gtid, events: new Uint8Array(700_000).fill(fill) }],
      });
      got(await keep(story, tailOfBytes(1)));
      const once = (await story.facts(0)).executed;
      got(await keep(story, tailOfBytes(1)));
      expect((await story.facts(0)).executed).toBe(once);
      got(await keep(story, tailOfBytes(2)));
      expect((await story.facts(0)).executed).not.toBe(once);
    },
  );

  run("a closed server keeps nothing, and says that it is closed", async () => {
    const tail = await tailOf(story, 2, (await story.facts(0)).executed);
    const refused = await story.asControl(1, (server) => mysql.keepTail(server, tail, { ...AS, epoch: 9 }));
    expect(refused).toMatchObject({ ok: false, failure: { kind: "conflict", code: 1290 } });
  });
}

export function tailCases(story: Story, run: Run): void {
  readingCases(story, run);
  keepingCases(story, run);
}
