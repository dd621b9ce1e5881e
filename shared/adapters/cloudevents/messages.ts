/**
 * CloudEvents that we send, as messages of HTTP: written by the SDK, which refuses what is none. Only who has something to send
 * loads this module. What arrives is read by `hosts/cloud-event.ts`; ADR 36 says why.
 */
import { CloudEvent, HTTP } from "cloudevents";

export interface EventMessage {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Names in lower case. A value that is none of a header's is percent-encoded (HTTP binding 3.1.3.2), which the SDK leaves to us. */
function plain({ headers, body }: ReturnType<typeof HTTP.binary>): EventMessage {
  const named = Object.entries(headers).map(([name, value]) => {
    const text = String(value);
    return [name.toLowerCase(), name.startsWith("ce-") ? encodeURI(text) : text] as const;
  });
  return { headers: Object.fromEntries(named), body: typeof body === "string" ? body : "" };
}

/** Its attributes are headers, and its data, if any, is the body. Throws a ValidationError for what is no event: a bug. */
export function binaryMessage(event: Readonly<Record<string, unknown>>): EventMessage {
  return plain(HTTP.binary(new CloudEvent(event)));
}

/** One JSON object. What has no time gets that of now, which the specification allows for who always does so. */
export function structuredMessage(event: Readonly<Record<string, unknown>>): EventMessage {
  return plain(HTTP.structured(new CloudEvent({ datacontenttype: "application/json", ...event })));
}
