/**
 * How a forwarded event shows that it comes from our own forwarder: an HMAC of all that its meaning rests on, with a secret
 * that both sides have, and the instant at which it was made. An event is a wake-up call, so one that is repeated within
 * the window costs a look at most.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import * as z from "zod/mini";
import { type HttpMessage, plainHeaders } from "./cloud-event.ts";

export const SIGNATURE_HEADER = "ordinal-signature";
/** Clocks differ by less, and a request is not longer under way. */
const WINDOW_SECONDS = 60;
const FORM = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/;

export const SECRET: z.ZodMiniType<string> = z
  .string()
  .check(
    z.trim(),
    z.minLength(32, "must have at least 32 characters, from a cryptographic source"),
    z.maxLength(1024),
  );

export interface SignedMessage extends HttpMessage {
  /** Without the query. */
  readonly path: string;
}

/** The attributes of a binary event are headers, so they are signed with the body. */
function mac(secret: string, { path, headers, body }: SignedMessage, seconds: number): Buffer {
  const plain = plainHeaders(headers);
  const attributes = Object.entries(plain)
    .filter(([name]) => name.startsWith("ce-"))
    .map(([name, value]) => `${name}:${value}`)
    .sort();
  const digest = createHash("sha256").update(body).digest("hex");
  const signed = ["ordinal-1", seconds, path, plain["content-type"] ?? "", ...attributes, digest];
  return createHmac("sha256", secret).update(signed.join("\n")).digest();
}

/** The value of the header. */
export function sign(secret: string, message: SignedMessage, nowMs: number): string {
  const seconds = Math.floor(nowMs / 1000);
  return `t=${seconds},v1=${mac(secret, message, seconds).toString("hex")}`;
}

/** Null when the message is ours and fresh, else one sentence for whoever runs the forwarder. */
export function whyNotSigned(secret: string, message: SignedMessage, nowMs: number): string | null {
  const [, at, given] = FORM.exec(plainHeaders(message.headers)[SIGNATURE_HEADER] ?? "") ?? [];
  if (at === undefined || given === undefined) {
    return `The event is not signed: send it through the forwarder, which adds the header ${SIGNATURE_HEADER}.`;
  }
  const seconds = Number(at);
  if (!timingSafeEqual(mac(secret, message, seconds), Buffer.from(given, "hex"))) {
    return "The signature does not match: both sides need the same secret.";
  }
  return Math.abs(nowMs / 1000 - seconds) <= WINDOW_SECONDS
    ? null
    : `The signature is older than ${WINDOW_SECONDS} s, or from the future: set the clock right.`;
}
