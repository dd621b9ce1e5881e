/** What a connection makes of servers that are not as they should be, and of their errors. */
import { type AddressInfo, createServer } from "node:net";
import type { QueryError } from "mysql2";
import { expect, test } from "vitest";
import { mapFailure } from "../../../shared/adapters/mysql/failures.ts";
import { createServers } from "../../../shared/adapters/mysql/servers.ts";

function queryError(more: Partial<QueryError>): QueryError {
  return Object.assign(new Error("what the server said"), { code: "", fatal: true }, more) as QueryError;
}

test.each([
  ["too many connections", { errno: 1040 }, "transient", 1040],
  ["the host is blocked", { errno: 1129 }, "transient", 1129],
  ["offline", { errno: 3032 }, "transient", 3032],
  ["shutting down", { errno: 1053 }, "transient", 1053],
  ["access denied", { errno: 1045 }, "refused", 1045],
  ["a read-only server", { errno: 1290 }, "refused", 1290],
  ["nobody listens", { errno: -111, code: "ECONNREFUSED" }, "transient", undefined],
  ["the connection was lost", { code: "PROTOCOL_CONNECTION_LOST" }, "transient", undefined],
  ["no TLS", { code: "HANDSHAKE_NO_SSL_SUPPORT" }, "refused", undefined],
])("%s", (_, error, kind, code) => {
  const failure = mapFailure(queryError(error), "connecting to mysql-0");
  expect(failure.kind).toBe(kind);
  expect(failure.code).toBe(code);
  expect(failure.message).toContain("connecting to mysql-0");
});

test("the statement is never part of the message, and long words of the server are cut", () => {
  const error = Object.assign(queryError({ errno: 1064 }), { sql: "CLONE … IDENTIFIED BY 'secret'" });
  error.message = "x".repeat(1_000);
  const { message } = mapFailure(error, "a statement");
  expect(message).not.toContain("secret");
  expect(message.length).toBeLessThan(250);
});

/** The server's first words: MySQL 9.7.4 with passwords and plugins (0x00088200), and without TLS (0x0800). */
function greeting(): Buffer {
  const text = (value: string): Buffer => Buffer.from(`${value}\0`);
  const capabilities = Buffer.from([0x00, 0x82, 45, 2, 0, 0x08, 0x00, 21]);
  const payload = Buffer.concat([
    Buffer.from([10]),
    text("9.7.4"),
    Buffer.alloc(4, 1),
    text("saltsalt"),
    capabilities,
    Buffer.alloc(10),
    text("saltsaltsalt"),
    text("caching_sha2_password"),
  ]);
  return Buffer.concat([Buffer.from([payload.length, 0, 0, 0]), payload]);
}

test("a server without TLS is refused before it learns a name or a password", async () => {
  let heard = 0;
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", ({ length }) => {
      heard += length;
    });
    socket.write(greeting());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const outcome = await createServers({ pool: false }).connect({
    host: "127.0.0.1",
    port: (server.address() as AddressInfo).port,
    credentials: { username: "root", password: "secret" },
    authority: null,
    connectTimeoutMs: 2_000,
    queryTimeoutMs: 2_000,
    attributes: {},
  });
  await new Promise((resolve) => server.close(resolve));
  expect(outcome).toMatchObject({ ok: false, failure: { kind: "refused" } });
  expect(heard).toBe(0);
});
