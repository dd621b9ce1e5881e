/**
 * CloudEvents 1.0 as they arrive by HTTP: one event whose attributes are headers, or one that is a JSON object. A reader of
 * our own, because the SDK's costs a function that only wakes a cluster a third of its start; what the SDK writes and refuses is
 * what this is held against (ADR 36). It never throws on what a stranger sent.
 */
import * as z from "zod/mini";
import { fail, type Outcome, succeed } from "../model/outcome.ts";

export interface CloudEvent {
  readonly specversion: "1.0";
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject?: string | undefined;
  readonly time?: string | undefined;
  readonly datacontenttype?: string | undefined;
  readonly data?: unknown;
  /** Extensions. */
  readonly [name: string]: unknown;
}

/** An HTTP request as every host can give it. */
export interface HttpMessage {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
}

export const STRUCTURED = "application/cloudevents+json";
/** Each event is answered for itself, and is worth repeating or not: a batch could only be answered as a whole. */
const BATCH = "application/cloudevents-batch";
const JSON_TYPE = /^[^;]*[/+]json\s*(?:;|$)/i;

const attribute = z.string().check(z.minLength(1), z.maxLength(1024));
/** RFC 3986: brackets around an IPv6 address alone, and before the first slash a colon after a scheme alone. */
const CHAR = String.raw`(?:[!$&-;=@-Z_a-z~]|%[\da-f]{2})`;
const ADDRESS = String.raw`//(?:${CHAR}*@)?\[[\da-f:.]+\]`;
const REFERENCE = String.raw`(?:${ADDRESS})?${CHAR}*(?:\?(?:${CHAR}|\?)*)?(?:#(?:${CHAR}|\?)*)?$`;
const SCHEME = String.raw`[a-z][a-z\d+.-]*:`;
const uri = attribute.check(z.regex(new RegExp(`^${SCHEME}${REFERENCE}`, "i"), "must be a URI"));
const uriReference = attribute.check(
  z.regex(new RegExp(`^(?:${SCHEME}|(?![^/?#]*:))${REFERENCE}`, "i"), "must be a URI-reference"),
);
const eventSchema = z.catchall(
  z.object({
    specversion: z.literal("1.0"),
    id: attribute,
    source: uriReference,
    type: attribute,
    subject: z.optional(attribute),
    time: z.optional(z.iso.datetime({ offset: true })),
    datacontenttype: z.optional(attribute),
    dataschema: z.optional(uri),
    data: z.optional(z.unknown()),
    data_base64: z.optional(z.base64()),
  }),
  z.union([z.string().check(z.maxLength(1024)), z.boolean(), z.int32()]),
);

/** `data_base64` is the one name that is none of an attribute. */
const NAME = /^(?:[a-z0-9]+|data_base64)$/;

/** Lower-case names, one value each, and the media type without its parameters. */
export function plainHeaders(headers: HttpMessage["headers"]): Record<string, string> {
  const plain: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    const key = name.toLowerCase();
    if (value === undefined || key === "__proto__") continue;
    const text = typeof value === "string" ? value : value.join(",");
    plain[key] = key === "content-type" ? (text.split(";", 1)[0] ?? "").trim().toLowerCase() : text;
  }
  return plain;
}

function refused(reason: string): Outcome<never> {
  return fail("refused", reason, { code: 400 });
}

/** Undefined where it is no JSON: nothing of what JSON.parse quotes is passed on. */
function parsed(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

/** HTTP allows printable ASCII only: whatever else was in a value is percent-encoded (HTTP binding 3.1.3.2). */
function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

function binaryEvent(headers: Readonly<Record<string, string>>, body: string): Outcome<unknown> {
  const { "content-type": datacontenttype } = headers;
  const named = Object.entries(headers)
    .filter(([name]) => name.startsWith("ce-"))
    .map(([name, value]) => [name.slice("ce-".length), decoded(value)]);
  const isJson = body !== "" && datacontenttype !== undefined && JSON_TYPE.test(datacontenttype);
  const data = isJson ? parsed(body) : { value: body === "" ? undefined : body };
  if (data === undefined) return refused("the body is not JSON");
  return succeed({ ...Object.fromEntries(named), datacontenttype, data: data.value });
}

/** Attributes that are null are not there (JSON format 2.2). */
function withoutNulls(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([name, each]) => name === "data" || each !== null));
}

function checked(value: unknown): Outcome<CloudEvent> {
  const event = eventSchema.safeParse(withoutNulls(value));
  if (!event.success) {
    const [issue] = event.error.issues;
    return refused(`${issue?.path.join(".") || "value"}: ${issue?.message ?? "invalid"}`);
  }
  if (!Object.keys(event.data).every((name) => NAME.test(name)))
    return refused("names of attributes are lower-case letters and digits");
  const { data_base64: base64, ...rest } = event.data;
  if (base64 === undefined) return succeed(rest);
  if (rest.data !== undefined) return refused("it has both data and data_base64");
  const text = Buffer.from(base64, "base64").toString("utf8");
  const data = JSON_TYPE.test(rest.datacontenttype ?? "application/json") ? parsed(text) : { value: text };
  return data === undefined ? refused("the data is not JSON") : succeed({ ...rest, data: data.value });
}

/** The event of one HTTP request, or `refused` with code 400 and the reason. */
export function readCloudEvent({ headers, body }: HttpMessage): Outcome<CloudEvent> {
  const plain = plainHeaders(headers);
  const { "content-type": mediaType = "" } = plain;
  if (mediaType.startsWith(BATCH)) return refused("a batch is not taken, send each event alone");
  if (mediaType !== STRUCTURED) {
    const event = binaryEvent(plain, body);
    return event.ok ? checked(event.value) : event;
  }
  const json = parsed(body);
  return json === undefined ? refused("the body is not JSON") : checked(json.value);
}
