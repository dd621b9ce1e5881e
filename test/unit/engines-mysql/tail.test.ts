/** What is refused before anything is read or kept, for the sake of whoever has to decide what becomes of it. */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { keepTail, readTail } from "../../../shared/engines/mysql/tail.ts";
import { type Outcome, succeed } from "../../../shared/model/outcome.ts";
import type { Tail } from "../../../shared/ports/engine.ts";
import type { LoggedTransaction, Row, Server, Value } from "../../../shared/ports/server.ts";
import { scripted } from "./scripted.ts";

const UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

/** A server that has executed `executed` and has `logged` in its logs, and what it was asked for. */
function server(executed: string, logged: readonly number[]): { server: Server; asked: string[] } {
  const asked: string[] = [];
  const transactions = logged.map((number): LoggedTransaction => {
    return { gtid: `${UUID}:${number}`, events: new Uint8Array(1) };
  });
  return {
    asked,
    server: {
      authority: null,
      query: (): Promise<Outcome<readonly Row[]>> => Promise.resolve(succeed([{ uuid: UUID, executed }])),
      readLog(except) {
        asked.push(except);
        return Promise.resolve(succeed(transactions));
      },
      close: () => Promise.resolve(),
    },
  };
}

test("more transactions than a table is for are not read at all", async () => {
  const many = server(`${UUID}:1-10009`, []);
  const refused = await readTail(many.server, `${UUID}:1-8`);
  expect(refused).toMatchObject({ ok: false, failure: { kind: "refused" } });
  expect(refused).toMatchObject({ failure: { message: expect.stringContaining("10001 transactions") } });
  expect(many.asked).toEqual([]);
  await readTail(many.server, `${UUID}:1-9`);
  expect(many.asked).toEqual([`${UUID}:1-9`]);
});

test("logs that lack a transaction are named with it", async () => {
  const { server: lacking } = server(`${UUID}:1-12`, [11, 12]);
  expect(await readTail(lacking, `${UUID}:1-9`)).toMatchObject({
    ok: false,
    failure: { kind: "refused", message: expect.stringContaining(`${UUID}:10`) },
  });
  expect(await readTail(lacking, `${UUID}:1-10`)).toMatchObject({
    ok: true,
    value: { serverUuid: UUID, gtids: `${UUID}:11-12` },
  });
});

test("what others hold already, logged here and not executed yet, is no part of it", async () => {
  const { server: waiting } = server(`${UUID}:1-8`, [9, 10]);
  expect(await readTail(waiting, `${UUID}:1-9`)).toMatchObject({
    ok: true,
    value: { gtids: `${UUID}:10`, transactions: [{ gtid: `${UUID}:10` }] },
  });
});

test("more transactions than a table is for may also be those that still wait", async () => {
  const waiting = server(
    `${UUID}:1-8`,
    Array.from({ length: 10_001 }, (_, index) => index + 9),
  );
  expect(await readTail(waiting.server, `${UUID}:1-8`)).toMatchObject({ failure: { kind: "refused" } });
});

/** A primary that keeps what it is given, in the way that the server does. */
function primary(archived: string | null = null) {
  const rows = new Map<string, { row: Row; events: Uint8Array }>();
  const inserts: (readonly Value[])[] = [];
  const declared: (readonly Value[])[] = [];
  const { server } = scripted([
    (sql, values) => {
      if (sql.includes("AS held")) return [...rows.values()].map(({ row }) => row);
      if (sql.includes("SELECT gtids")) return archived === null ? [] : [{ gtids: archived }];
      (sql.includes("INTO ordinal.tail") ? inserts : declared).push(values);
      if (!sql.includes("INTO ordinal.tail")) return [];
      for (let at = 0; at < values.length; at += 8) {
        const [gtid, digest, part] = values.slice(at + 2, at + 5).map(String);
        const events = values[at + 7] as Uint8Array;
        const held = createHash("sha256").update(events).digest("hex");
        rows.set(`${gtid}|${part}`, { row: { gtid, digest, part, held } as Row, events });
      }
      return [];
    },
  ]);
  return { server, rows, inserts, declared };
}

const as = { epoch: 2, clusterUid: "uid", at: "2026-11-23T10:00:00.000Z" };
const LIMIT = 255 * 1024;

function tailOf(...sizes: readonly number[]): Tail {
  const transactions = sizes.map((size, index) => {
    return { gtid: `${UUID}:${index + 9}`, events: new Uint8Array(size).fill(index + 1) };
  });
  return { serverUuid: UUID, gtids: `${UUID}:9-${sizes.length + 8}`, transactions };
}

describe("a tail is kept", () => {
  test("part by part in its order, and declared last", async () => {
    const { server, rows, inserts, declared } = primary();
    expect(await keepTail(server, tailOf(LIMIT + 1, 5), as)).toEqual({ ok: true, value: null });
    // epoch, server, gtid, digest, part, parts, place, events
    const written = inserts.flatMap((values) =>
      Array.from({ length: values.length / 8 }, (_, row) => values.slice(row * 8, row * 8 + 8)),
    );
    const [first, , third] = written.map((row) => row[3]);
    expect(
      written.map(([epoch, uuid, gtid, digest, part, parts, place, events]) => {
        return [epoch, uuid, gtid, digest, part, parts, place, (events as Uint8Array).length];
      }),
    ).toEqual([
      [2, UUID, `${UUID}:9`, first, 1, 2, 1, LIMIT],
      [2, UUID, `${UUID}:9`, first, 2, 2, 1, 1],
      [2, UUID, `${UUID}:10`, third, 1, 1, 2, 5],
    ]);
    expect(first).not.toBe(third);
    expect(rows.get(`${UUID}:9|2`)?.events).toEqual(new Uint8Array([1]));
    expect(declared).toEqual([[2, UUID, "uid", as.at, `${UUID}:9-10`]]);
  });

  test("in statements that are neither too long nor of too many rows", async () => {
    const sizes = async (...of: readonly number[]) => {
      const { server, inserts } = primary();
      await keepTail(server, tailOf(...of), as);
      return inserts.map((values) => values.length / 8);
    };
    expect(await sizes(LIMIT - 1, 1, 1)).toEqual([2, 1]);
    expect(await sizes(LIMIT, 1)).toEqual([1, 1]);
    expect(await sizes(...Array.from({ length: 501 }, () => 1))).toEqual([500, 1]);
  });

  test("once: what is there is not written again, and what was declared is only ever widened", async () => {
    const again = primary(`${UUID}:9-10`);
    await keepTail(again.server, tailOf(1, 1), as);
    expect([again.inserts.length, again.declared]).toEqual([1, []]);
    await keepTail(again.server, tailOf(1, 1), as);
    expect([again.inserts.length, again.declared]).toEqual([1, []]);
    const grown = primary(`${UUID}:7`);
    await keepTail(grown.server, tailOf(1, 1), as);
    expect(grown.declared).toEqual([[2, UUID, "uid", as.at, `${UUID}:7:9-10`]]);
  });

  test("and not declared when the table does not hold what was written to it", async () => {
    const { server, rows, declared } = primary();
    await keepTail(server, tailOf(1, 1), as);
    const [key, other] = [...rows.entries()][1] ?? [];
    if (key === undefined || other === undefined) throw new Error("nothing was kept");
    rows.set(key, { ...other, row: { ...other.row, held: "another" } });
    expect(await keepTail(server, tailOf(1, 1), as)).toMatchObject({
      failure: { kind: "refused", message: expect.stringContaining(`${UUID}:10`) },
    });
    expect(declared).toHaveLength(1);
  });

  test("when there is one", async () => {
    const { server, told } = scripted([]);
    expect(await keepTail(server, tailOf(), as)).toEqual({ ok: true, value: null });
    expect(told).toEqual([]);
  });
});
