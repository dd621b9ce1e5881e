/** What is refused before anything is read or kept, for the sake of whoever has to decide what becomes of it. */
import { expect, test } from "vitest";
import { readTail } from "../../../shared/engines/mysql/tail.ts";
import { type Outcome, succeed } from "../../../shared/model/outcome.ts";
import type { LoggedTransaction, Row, Server } from "../../../shared/ports/server.ts";

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
