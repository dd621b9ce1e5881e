/**
 * Stands between a client and a store, both over TLS, and spoils what a test says: answers in the store's place,
 * before or after the store has done its work, cuts connections in the middle, falls silent, or goes slowly.
 */
import { readFileSync } from "node:fs";
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { createServer, request } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import type { S3Server } from "./s3-server.ts";

export interface Answer {
  readonly status: number;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
}

export type ProxyFault =
  /** The store hears nothing of it. */
  | { readonly kind: "answer"; readonly answer: Answer }
  /** The store does its work, and the client is told something else. */
  | { readonly kind: "retell"; readonly answer: Answer }
  /** The store does its work, and the client hears nothing more after so many bytes of the answer's body. */
  | { readonly kind: "cut" | "stall"; readonly bytes: number }
  /** The connection ends before the store hears of it. */
  | { readonly kind: "drop" }
  | { readonly kind: "slow"; readonly pieceBytes: number; readonly pauseMs: number };

export interface ProxiedRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage["headers"];
}

export interface FaultProxy {
  readonly endpoint: URL;
  /** Asked for each request; `told` is the store's own status, for faults that come after its work. */
  spoil(fault: (request: ProxiedRequest, told: number | null) => ProxyFault | null): void;
  close(): void;
}

/** The body of an error as S3 writes it. */
export function errorBody(code: string, message = "as the test wants it"): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`;
}

export async function openFaultProxy({ store, certificate }: S3Server): Promise<FaultProxy> {
  let fault: Parameters<FaultProxy["spoil"]>[0] = () => null;
  const sockets = new Set<Duplex>();

  async function take(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "GET", headers } = incoming;
    const url = new URL(incoming.url ?? "/", "https://localhost");
    const asked = { method, url, headers };
    const before = fault(asked, null);
    const body = await buffer(incoming);
    if (before?.kind === "drop") return void incoming.socket.destroy();
    if (before?.kind === "answer") return tell(response, before.answer);
    const far = await forward(incoming, body);
    const after = before ?? fault(asked, far.statusCode ?? 0);
    if (after?.kind === "retell") {
      far.resume();
      return tell(response, after.answer);
    }
    response.writeHead(far.statusCode ?? 500, far.headers);
    response.flushHeaders();
    await pass(far, response, after);
  }

  function forward(incoming: IncomingMessage, body: Buffer): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      // The host stays the one that the client has signed.
      const { method, url: path, headers } = incoming;
      const { port } = store.endpoint;
      const to = { host: "localhost", port, path, method, headers, ca: certificate.authority };
      request(to, resolve).once("error", reject).end(body);
    });
  }

  const tls = { cert: readFileSync(certificate.certFile), key: readFileSync(certificate.keyFile) };
  const server = createServer(tls, (incoming, response) => {
    take(incoming, response).catch(() => incoming.socket.destroy());
  });
  server.on("connection", (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    endpoint: new URL(`https://localhost:${(server.address() as AddressInfo).port}`),
    spoil(wanted) {
      fault = wanted;
    },
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

function tell(response: ServerResponse, { status, headers = {}, body = "" }: Answer): void {
  response.writeHead(status, { "content-type": "application/xml", ...headers }).end(body);
}

async function pass(far: IncomingMessage, response: ServerResponse, fault: ProxyFault | null): Promise<void> {
  let left = fault?.kind === "cut" || fault?.kind === "stall" ? fault.bytes : Number.POSITIVE_INFINITY;
  const pieceBytes = fault?.kind === "slow" ? fault.pieceBytes : 64 * 1024;
  for await (const chunk of far as AsyncIterable<Buffer>) {
    for (let at = 0; at < chunk.length; at += pieceBytes) {
      const piece = chunk.subarray(at, Math.min(at + pieceBytes, at + left));
      response.write(piece);
      left -= piece.length;
      if (left <= 0) {
        far.destroy();
        if (fault?.kind === "cut") response.socket?.destroySoon();
        return;
      }
      if (fault?.kind === "slow") await sleep(fault.pauseMs);
    }
  }
  if (fault?.kind === "cut") response.socket?.destroySoon();
  else if (fault?.kind !== "stall") response.end();
}
