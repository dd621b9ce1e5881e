/** One CloudEvent by HTTP, in structured mode. Its address may hold a secret: it is never logged. */
import { structuredMessage } from "../../adapters/cloudevents/messages.ts";
import { post } from "../post.ts";
import type { OutgoingEvent } from "./news.ts";

const TIMEOUT_MS = 5_000;

/** Throws when it is no address; the message does not quote it. */
export function createSink(address: string): (event: OutgoingEvent) => Promise<number | null> {
  const url = URL.parse(address);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new Error("K_SINK is no http or https address: correct it, or take it away");
  return (event) => post(url, structuredMessage({ ...event }), TIMEOUT_MS);
}
