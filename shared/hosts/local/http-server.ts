/**
 * Node's HTTP server around the front. Everything is bounded: connections, headers, bodies, and the time that any of
 * them may take. Where tokens travel it listens without TLS on loopback only.
 */
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, isIPv4 } from "node:net";
import type { Log } from "../../ports/host.ts";
import { type HttpAnswer, problem } from "../http/answers.ts";
import type { Front } from "../http/front.ts";

export interface HttpServerOptions {
  /** 0 = any that is free. */
  readonly port: number;
  readonly address: string;
  /** Paths of PEM files; they are read once. */
  readonly tls: { readonly cert: string; readonly key: string } | null;
}

export interface HttpServer {
  readonly port: number;
  /** Takes no more, and waits at most `graceMs` for what is under way. */
  stop(graceMs: number): Promise<void>;
}

const LIMITS = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 10_000,
  /** Of a whole request, its body included. */
  requestTimeout: 20_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
} as const;
const CONNECTIONS_MAX = 256;
/** Above the longest answer: the calls to the API server have a limit of 10 s each. */
const IDLE_MS = 120_000;

/** Of a name or an address, as it stands in options and URLs. */
export function isLoopback(address: string): boolean {
  return address === "localhost" || address === "::1" || (isIPv4(address) && address.startsWith("127."));
}

/** Stops reading at the limit, also when a length was given that is already beyond it. */
async function readBody(incoming: IncomingMessage, bytesMax: number): Promise<Uint8Array | null> {
  if (Number(incoming.headers["content-length"] ?? 0) > bytesMax) return null;
  const chunks: Buffer[] = [];
  let bytes = 0;
  // The socket must outlive the loop: the answer still has to go out on it.
  const stream = incoming.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes > bytesMax) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function answerOf(front: Front, incoming: IncomingMessage, log: Log): Promise<HttpAnswer | null> {
  try {
    return await front({
      method: incoming.method ?? "",
      target: incoming.url ?? "",
      headers: incoming.headers,
      address: incoming.socket.remoteAddress ?? "",
      read: (bytesMax) => readBody(incoming, bytesMax),
    });
  } catch (error) {
    // Whoever broke off in the middle of the body wants no answer; anything else is a bug.
    if (incoming.destroyed && !incoming.complete) return null;
    log.warn("a request was broken off by an unexpected error", { error: String(error) });
    return problem(500, "Ordinal made a mistake, which its log tells: nothing is known of what was done.");
  }
}

async function respond(
  front: Front,
  log: Log,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const answer = await answerOf(front, incoming, log);
  if (answer === null) return;
  const { status, headers, body } = answer;
  // Of an answer without a body the length would be that of the one which somebody has already.
  const length = status === 304 ? {} : { "content-length": Buffer.byteLength(body) };
  response.writeHead(status, { ...headers, ...length }).end(body);
}

/** Whether anything that is served wants a token. */
export interface Served {
  readonly front: Front;
  readonly takesTokens: boolean;
}

/** Throws when it must not or cannot listen as asked: that is a mistake of whoever started us. */
export async function startHttpServer(
  { port, address, tls }: HttpServerOptions,
  { front, takesTokens }: Served,
  log: Log,
): Promise<HttpServer> {
  if (tls === null && takesTokens && !isLoopback(address)) {
    throw new Error(
      `HTTP on ${address} needs --tls-cert and --tls-key, or --requests off: without TLS tokens are taken on loopback only`,
    );
  }
  const listener = (incoming: IncomingMessage, response: ServerResponse): void => {
    void respond(front, log, incoming, response);
  };
  const server: Server =
    tls === null
      ? createServer(LIMITS, listener)
      : createTlsServer({ ...LIMITS, cert: readFileSync(tls.cert), key: readFileSync(tls.key) }, listener);
  server.maxConnections = CONNECTIONS_MAX;
  server.setTimeout(IDLE_MS);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, address, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    async stop(graceMs) {
      const late = setTimeout(() => server.closeAllConnections(), graceMs);
      await new Promise((resolve) => server.close(resolve));
      clearTimeout(late);
    },
  };
}
