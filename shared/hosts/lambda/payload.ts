/**
 * What Lambda hands to a function, and what it wants back. An HTTP request comes from an HTTP API or a function URL, both in
 * payload format 2.0; a tick comes from EventBridge in one of three forms: of Scheduler without an input, of a rule, or
 * with an input, which is then all that comes, and is a CloudEvent here. Parsed strictly where it counts, and everything
 * that AWS adds one day is ignored.
 */
import * as z from "zod/mini";
import { STRUCTURED } from "../cloud-event.ts";
import { type IncomingEvent, PING_TYPE, readMessage } from "../events.ts";
import type { HttpAnswer } from "../http/answers.ts";
import type { HttpRequest } from "../http/front.ts";

const httpSchema = z.object({
  version: z.literal("2.0"),
  rawPath: z.string(),
  rawQueryString: z._default(z.string(), ""),
  headers: z._default(z.record(z.string(), z.string()), {}),
  requestContext: z.object({ http: z.object({ method: z.string(), sourceIp: z.string() }) }),
  body: z._default(z.string(), ""),
  isBase64Encoded: z._default(z.boolean(), false),
});

const tickSchema = z.object({
  source: z.enum(["aws.scheduler", "aws.events"]),
  "detail-type": z.literal("Scheduled Event"),
  id: z.string().check(z.minLength(1)),
});

export type Payload =
  | { readonly kind: "http"; readonly request: HttpRequest & { readonly body: Buffer } }
  | { readonly kind: "event"; readonly event: IncomingEvent }
  | { readonly kind: "garbage"; readonly reason: string };

function readHttp(given: z.infer<typeof httpSchema>): Payload {
  const { rawPath, rawQueryString, headers, requestContext } = given;
  const body = Buffer.from(given.body, given.isBase64Encoded ? "base64" : "utf8");
  const { method, sourceIp: address } = requestContext.http;
  const target = rawQueryString === "" ? rawPath : `${rawPath}?${rawQueryString}`;
  const read = (bytesMax: number) => Promise.resolve(body.length > bytesMax ? null : body);
  return { kind: "http", request: { method, target, headers, address, read, body } };
}

/** Never throws: nobody is helped when Lambda repeats what cannot be read. */
export function readPayload(payload: unknown): Payload {
  const http = httpSchema.safeParse(payload);
  if (http.success) return readHttp(http.data);
  const tick = tickSchema.safeParse(payload);
  if (tick.success) return { kind: "event", event: { kind: "tick", id: tick.data.id, type: PING_TYPE } };
  const body = JSON.stringify(payload) ?? "";
  const event = readMessage({ headers: { "content-type": STRUCTURED }, body });
  return event.ok
    ? { kind: "event", event: event.value }
    : {
        kind: "garbage",
        reason: `neither an HTTP request nor a tick nor a CloudEvent: ${event.failure.message}`,
      };
}

export interface LambdaAnswer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What closes a connection is for servers of our own. */
export function lambdaAnswer({ status, headers, body }: HttpAnswer): LambdaAnswer {
  const { connection: _, ...kept } = headers;
  return { statusCode: status, headers: kept, body };
}
