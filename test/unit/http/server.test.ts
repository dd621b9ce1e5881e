/** The server around the front, over real sockets: what it reads, where it listens, and how it stops. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { request as plainRequest } from "node:http";
import { request as tlsRequest } from "node:https";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, onTestFinished, test } from "vitest";
import { json } from "../../../shared/hosts/http/answers.ts";
import type { Front, HttpRequest } from "../../../shared/hosts/http/front.ts";
import { type HttpServerOptions, startHttpServer } from "../../../shared/hosts/local/http-server.ts";

const LOCAL: HttpServerOptions = { port: 0, address: "127.0.0.1", tls: null };
const warnings: string[] = [];
const log = {
  info: () => undefined,
  warn: (message: string, fields: object = {}) => void warnings.push(`${message} ${JSON.stringify(fields)}`),
};

async function start(front: Front, options: Partial<HttpServerOptions> = {}) {
  const server = await startHttpServer({ ...LOCAL, ...options }, { front, takesTokens: true }, log);
  onTestFinished(() => server.stop(0));
  return server;
}

/** Says what it was asked, and how much of the body it took. */
const echo: Front = async (request: HttpRequest) => {
  const body = await request.read(1_000);
  const { method, target, address } = request;
  return json(body === null ? 413 : 200, { method, target, address, bytes: body?.length ?? null });
};

interface Sent {
  readonly status: number;
  readonly body: string;
  readonly headers: object;
}

function send(port: number, body: string, headers: Record<string, string> = {}): Promise<Sent> {
  return new Promise((resolve, reject) => {
    const outgoing = plainRequest({ port, host: "127.0.0.1", method: "POST", path: "/a/../b?c=1", headers });
    outgoing.on("response", (response) => {
      const status = response.statusCode ?? 0;
      text(response).then((all) => resolve({ status, body: all, headers: response.headers }), reject);
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

/** Bytes as they are, and what comes back until the other side closes. */
function talk(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    let back = "";
    socket.on("data", (chunk) => {
      back += chunk.toString("latin1");
    });
    socket.on("close", () => resolve(back));
    socket.on("error", reject);
  });
}

describe("a request", () => {
  test("reaches the front as it was sent", async () => {
    const { port } = await start(echo);
    const { status, body, headers } = await send(port, "hello");
    expect(status).toBe(200);
    const asked = { method: "POST", target: "/a/../b?c=1", address: "127.0.0.1", bytes: 5 };
    expect(JSON.parse(body)).toEqual(asked);
    expect(headers).toMatchObject({ "content-type": "application/json", "content-length": `${body.length}` });
  });

  test("with a length beyond the limit is answered before any of it is read", async () => {
    const { port } = await start(async (request) =>
      json((await request.read(9)) === null ? 413 : 200, {}, { connection: "close" }),
    );
    const back = await talk(port, "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 999999999\r\n\r\n");
    expect(back).toMatch(/^HTTP\/1\.1 413 /);
  });

  test("in chunks is read up to the limit and no further", async () => {
    const { port } = await start(async (request) =>
      json((await request.read(9)) === null ? 413 : 200, {}, { connection: "close" }),
    );
    const head = "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    expect(await talk(port, `${head}a\r\n0123456789\r\n`)).toMatch(/^HTTP\/1\.1 413 /);
  });

  test("with headers beyond the limit, or that is no HTTP, does not reach it", async () => {
    const { port } = await start(() => Promise.reject(new Error("reached")));
    const long = `GET / HTTP/1.1\r\nhost: x\r\nx: ${"y".repeat(20_000)}\r\n\r\n`;
    expect(await talk(port, long)).toMatch(/^HTTP\/1\.1 431 /);
    expect(await talk(port, "HELLO\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 /);
    const smuggled =
      "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    expect(await talk(port, smuggled)).toMatch(/^HTTP\/1\.1 400 /);
  });

  test("that meets a bug is answered, and the bug is in the log", async () => {
    const { port } = await start(() => Promise.reject(new Error("a bug")));
    const { status, body } = await send(port, "{}");
    expect(status).toBe(500);
    expect(body).not.toContain("a bug");
    expect(warnings.at(-1)).toContain("a bug");
  });

  test("that is broken off in the middle of its body is no bug", async () => {
    const { port } = await start(echo);
    const before = warnings.length;
    const socket = connect(port, "127.0.0.1");
    socket.write("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\nabc");
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    await send(port, "");
    expect(warnings).toHaveLength(before);
  });
});

describe("where it listens", () => {
  test.each(["0.0.0.0", "::", "10.0.0.1", "ordinal.example"])("without TLS not on %s", async (address) => {
    await expect(start(echo, { address })).rejects.toThrow("tokens are taken on loopback only");
  });

  test("anywhere where no token is taken", async () => {
    const server = await startHttpServer(
      { ...LOCAL, address: "0.0.0.0" },
      { front: echo, takesTokens: false },
      log,
    );
    onTestFinished(() => server.stop(0));
    expect((await send(server.port, "")).status).toBe(200);
  });

  test("not on a port that is taken", async () => {
    const { port } = await start(echo);
    await expect(start(echo, { port })).rejects.toThrow("EADDRINUSE");
  });

  test.skipIf(spawnSync("openssl", ["version"]).status !== 0)("with TLS anywhere", async () => {
    const folder = mkdtempSync(join(tmpdir(), "ordinal-unit-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
    const options = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"];
    execFileSync("openssl", [...options, "-keyout", key, "-out", cert], { stdio: "ignore" });
    const { port } = await start(echo, { address: "0.0.0.0", tls: { cert, key } });
    const status = await new Promise((resolve, reject) => {
      const trusting = { port, host: "127.0.0.1", rejectUnauthorized: false };
      tlsRequest(trusting, (response) => resolve(response.resume().statusCode))
        .on("error", reject)
        .end();
    });
    expect(status).toBe(200);
  });
});

describe("when it stops", () => {
  test("it finishes what is under way and takes no more", async () => {
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const server = await start(async () => json(200, (await held) ?? {}));
    const answer = send(server.port, "");
    await new Promise((resolve) => setTimeout(resolve, 50));
    const stopped = server.stop(5_000);
    await expect(send(server.port, "")).rejects.toThrow("ECONNREFUSED");
    release();
    expect((await answer).status).toBe(200);
    await stopped;
  });

  test("it does not wait for ever", async () => {
    const server = await start(() => new Promise(() => undefined));
    const answer = send(server.port, "").catch(String);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await server.stop(20);
    expect(await answer).toContain("socket hang up");
  });
});
