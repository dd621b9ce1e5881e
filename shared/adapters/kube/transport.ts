/**
 * One request to the API server and its answer, over node:http(s) with the kept connections of one agent.
 * Everything is bounded: the time until the answer is complete, its size, the silence of a stream. It never
 * throws for what the network or the server does, and it repeats nothing that could have had an effect.
 */
import { type IncomingMessage, request as plainRequest } from "node:http";
import { request as tlsRequest } from "node:https";
import { type Failure, type Outcome, succeed } from "../../model/outcome.ts";
import type { Connection } from "./connection.ts";
import type { Document } from "./documents.ts";
import { answerFailure, networkFailure, type Subject } from "./failures.ts";

export interface Call {
  readonly subject: Subject;
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** Absolute path with the query. */
  readonly path: string;
  readonly document?: Document;
  /** A POST that only asks, and may be repeated like a GET. */
  readonly changesNothing?: boolean;
  /** Ends the call early, as `transient`. */
  readonly signal?: AbortSignal;
}

export interface Transport {
  /** The answer's JSON. */
  send(call: Call): Promise<Outcome<unknown>>;
  /** A successful answer as a stream, which fails after `silenceMs` without a byte. */
  open(call: Call, silenceMs: number): Promise<Outcome<IncomingMessage>>;
}

export interface TransportOptions {
  readonly userAgent: string;
  /** For a whole answer, or for the beginning of a stream. */
  readonly timeoutMs: number;
  /** Called when a request has gone out, over a connection that stands: from then on there is time until the answer. */
  readonly onSent?: () => void;
}

const BODY_BYTES_MAX = 64 * 1024 * 1024;

export function createTransport(connection: Connection, options: TransportOptions): Transport {
  /** Runs `work` with a signal that says when the time is up, or the caller has given up. */
  async function bounded<T>(
    call: Call,
    work: (signal: AbortSignal) => Promise<Outcome<T>>,
  ): Promise<Outcome<T>> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), options.timeoutMs);
    const signal = call.signal ? AbortSignal.any([late.signal, call.signal]) : late.signal;
    try {
      return await work(signal);
    } catch (error) {
      const reason = late.signal.aborted ? new Error(`not within ${options.timeoutMs} ms`) : error;
      return failed(networkFailure(call.subject, reason));
    } finally {
      clearTimeout(timer);
    }
  }

  async function send(call: Call): Promise<Outcome<unknown>> {
    return bounded(call, async (signal) =>
      answerOf(call, await begin({ ...options, connection, call, signal })),
    );
  }

  async function open(call: Call, silenceMs: number): Promise<Outcome<IncomingMessage>> {
    return bounded<IncomingMessage>(call, async (signal) => {
      const response = await begin({ ...options, connection, call, signal, silenceMs });
      if (isSuccess(response)) return succeed(response);
      const answer = await answerOf(call, response);
      return answer.ok ? failed(networkFailure(call.subject, new Error("not a stream"))) : answer;
    });
  }

  return { send, open };
}

interface Exchange extends TransportOptions {
  readonly connection: Connection;
  readonly call: Call;
  readonly signal: AbortSignal;
  /** Absent = no limit of its own. */
  readonly silenceMs?: number;
}

/** Sends the request; resolves with the beginning of the answer. */
async function begin(exchange: Exchange): Promise<IncomingMessage> {
  const { connection, call, signal, silenceMs } = exchange;
  const access = await unlessAborted(signal, connection.access());
  const request = access.protocol === "http:" ? plainRequest : tlsRequest;
  const payload = call.document === undefined ? undefined : JSON.stringify(call.document.body);
  const headers = {
    ...access.headers,
    // Node gives a DELETE no length of its own: the conditions in its body would be lost to the server, which
    // would remove whatever has the name, and take the body for the connection's next request.
    ...(payload !== undefined && { "content-length": Buffer.byteLength(payload) }),
    accept: "application/json",
    "user-agent": exchange.userAgent,
    ...(call.document && { "content-type": call.document.contentType }),
  };
  const path = connection.prefix + call.path;
  return new Promise((resolve, reject) => {
    const outgoing = request({
      ...access,
      method: call.method,
      path,
      headers,
      signal,
      ...(silenceMs !== undefined && { timeout: silenceMs }),
    });
    let answered = false;
    outgoing.once("response", (response) => {
      answered = true;
      resolve(response);
    });
    outgoing.on("timeout", () => outgoing.destroy(new Error(`silent for ${silenceMs} ms`)));
    outgoing.on("error", (error) => {
      // A kept connection may have been closed by the far side while nobody looked, above all in a function
      // that was frozen. A read is repeated; each such connection fails once, so this ends with a new one.
      const asks = call.method === "GET" || call.changesNothing === true;
      const stale = outgoing.reusedSocket && !answered && !signal.aborted && asks;
      if (stale) begin(exchange).then(resolve, reject);
      else reject(error);
    });
    outgoing.end(payload, exchange.onSent);
  });
}

async function answerOf(call: Call, response: IncomingMessage): Promise<Outcome<unknown>> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw new Error(`the answer has more than ${BODY_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString("utf8");
  if (isSuccess(response)) return succeed(JSON.parse(text));
  const code = response.statusCode ?? 0;
  return failed(
    answerFailure(call.subject, {
      code,
      body: jsonOrNull(text),
      retryAfter: response.headers["retry-after"],
    }),
  );
}

/** Credentials may come from a plugin that hangs, and cannot be called off. */
function unlessAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(new Error("called off")), { once: true });
    promise.then(resolve, reject);
  });
}

function isSuccess(response: IncomingMessage): boolean {
  const code = response.statusCode ?? 0;
  return code >= 200 && code < 300;
}

/** A proxy in front of the API server answers with HTML; the status alone has to do then. */
function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function failed(failure: Failure): Outcome<never> {
  return { ok: false, failure };
}
