/**
 * A function of events on Lambda. Forwarded events come by HTTP and are answered when their pass has ended, since a
 * function that has answered is frozen; ticks come by themselves, and a tick that could do nothing fails, so that Lambda
 * repeats it. What cannot be read is never repeated.
 */

import type { EventFunction, Reaction } from "../functions.ts";
import { react, receive } from "../functions.ts";
import { type HttpAnswer, json, problem, retryAfter } from "../http/answers.ts";
import { textOf } from "../http/body.ts";
import { SIGNATURE_HEADER, whyNotSigned } from "../signature.ts";
import { type LambdaContext, type LambdaHost, openLambdaHost } from "./host.ts";
import { runPasses } from "./passes.ts";
import { type LambdaAnswer, lambdaAnswer, type Payload, readPayload } from "./payload.ts";

const BODY_BYTES_MAX = 2 * 1024 * 1024;

export type LambdaHandler = (
  payload: unknown,
  context: LambdaContext,
) => Promise<LambdaAnswer | { readonly status: string }>;

interface Forwarded {
  readonly request: Extract<Payload, { kind: "http" }>["request"];
  readonly context: LambdaContext;
}

async function passed(host: LambdaHost, reaction: Reaction, context: LambdaContext): Promise<HttpAnswer> {
  const ran = await runPasses(host, reaction, context.getRemainingTimeInMillis());
  const results = ran.ok ? ran.value : [];
  const failure = ran.ok ? results.find(({ outcome }) => outcome === "failed")?.message : ran.failure.message;
  if (failure !== undefined) {
    host.log.warn("an event is to be repeated", { reason: failure });
    return problem(503, "The pass that the event asked for failed: repeat the event.", {
      headers: retryAfter(1_000),
    });
  }
  const passes = results.map(({ ref, outcome, lookAgainMs }) => ({ ...ref, outcome, lookAgainMs }));
  return json(202, { status: "accepted", passes });
}

async function takeForwarded(
  host: LambdaHost,
  fn: EventFunction,
  { request, context }: Forwarded,
): Promise<HttpAnswer> {
  const { method, target, headers, body: bytes } = request;
  if (method !== "POST") return problem(405, "This path takes POST.", { headers: { allow: "POST" } });
  if (bytes.length > BODY_BYTES_MAX) return problem(400, "No event is as long as that.");
  const body = textOf(bytes);
  if (body === null) return problem(400, "not a CloudEvent: its body is no text in UTF-8");
  const { ORDINAL_FORWARD_SECRET: secret } = host.settings;
  if (secret === undefined) {
    return problem(403, "This deployment takes no forwarded events: set ORDINAL_FORWARD_SECRET.");
  }
  const [path = ""] = target.split("?", 1);
  const unsigned = whyNotSigned(secret, { path, headers, body }, host.clock.now());
  if (unsigned !== null) {
    return problem(401, unsigned, { headers: { "www-authenticate": SIGNATURE_HEADER } });
  }
  const { status, message, reaction } = receive([fn], { headers, body });
  if (status === 400) return problem(400, message);
  return message === "ignored" ? json(202, { status: message }) : await passed(host, reaction, context);
}

export function eventHandler(fn: EventFunction, env: NodeJS.ProcessEnv = process.env): LambdaHandler {
  const host = openLambdaHost(env, fn.name);
  return async (payload, context) => {
    const read = readPayload(payload);
    switch (read.kind) {
      case "http":
        return lambdaAnswer(await takeForwarded(host, fn, { request: read.request, context }));
      case "garbage":
        host.log.warn("an event was refused", { reason: read.reason });
        return { status: "refused" };
      case "event": {
        const ran = await runPasses(host, react([fn], [read.event]), context.getRemainingTimeInMillis());
        // Lambda repeats what throws, and then hands it to the dead-letter queue.
        if (!ran.ok) throw new Error(ran.failure.message);
        return { status: "accepted" };
      }
    }
  };
}
