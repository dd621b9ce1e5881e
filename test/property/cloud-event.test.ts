/**
 * Our reader of CloudEvents held against the SDK: what that writes, in each of its forms, is the same event to both, and what ours
 * takes is an event to the SDK too.
 */
import { CloudEvent, type CloudEventV1, HTTP } from "cloudevents";
import fc from "fast-check";
import { expect, test } from "vitest";
import { binaryMessage, structuredMessage } from "../../shared/adapters/cloudevents/messages.ts";
import { type HttpMessage, readCloudEvent } from "../../shared/hosts/cloud-event.ts";
import { propertyRuns } from "../support/property-runs.ts";

/** What a header may hold as it is. Others are percent-encoded, which the SDK leaves to its user. */
const text = fc.stringMatching(/^[a-zA-Z0-9._/:-]{1,40}$/);
/** The SDK also takes what begins with a colon, which is no reference (RFC 3986 4.2). */
const source = fc
  .tuple(fc.constantFrom("/", "urn:", "https://h/"), text)
  .map(([start, rest]) => `${start}${rest}`);
const event = fc.record(
  {
    ...{ id: text, source, type: text, subject: text, partitionkey: text },
    time: fc
      .date({ noInvalidDate: true, min: new Date(0), max: new Date("2099-01-01") })
      .map((at) => at.toISOString()),
    data: fc.oneof(fc.dictionary(text, fc.jsonValue()), fc.array(fc.jsonValue())),
  },
  { requiredKeys: ["id", "source", "type", "time"] },
);

test("an event of the SDK is read as it was written, binary and structured", () => {
  fc.assert(
    fc.property(event, (given) => {
      const sent = new CloudEvent<unknown>({
        ...given,
        ...(given.data !== undefined && { datacontenttype: "application/json" }),
      });
      const one = JSON.parse(JSON.stringify({ specversion: "1.0", ...given }));
      // Without data the SDK's message has no body at all, where every host gives an empty one.
      const read = ({ headers, body = "" }: Partial<HttpMessage>) =>
        readCloudEvent({ headers: headers ?? {}, body });
      expect(read(HTTP.binary(sent) as Partial<HttpMessage>)).toMatchObject({ ok: true, value: one });
      expect(read(HTTP.structured(sent) as Partial<HttpMessage>)).toMatchObject({ ok: true, value: one });
    }),
    { numRuns: propertyRuns(200, 5_000) },
  );
});

/** Among them what no header may hold as it is. */
const anyText = fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 });

test("what we send is the same event to our reader and to the SDK's, whatever its attributes hold", () => {
  const sent = fc.record(
    {
      id: anyText,
      source,
      type: anyText,
      subject: anyText,
      time: fc.constant("2026-11-23T07:00:00.000Z"),
      data: fc.object(),
    },
    { requiredKeys: ["id", "source", "type", "time"] },
  );
  fc.assert(
    fc.property(sent, (given) => {
      const one = JSON.parse(JSON.stringify({ specversion: "1.0", ...given }));
      for (const message of [binaryMessage(given), structuredMessage(given)])
        expect(readCloudEvent(message)).toMatchObject({ ok: true, value: one });
      expect(HTTP.toEvent(structuredMessage(given))).toMatchObject(one);
    }),
    { numRuns: propertyRuns(200, 5_000) },
  );
});

const NAMES = [
  "specversion",
  "id",
  "source",
  "type",
  "subject",
  "time",
  "datacontenttype",
  "dataschema",
  "data_base64",
  "Loud",
  "a-b",
  "partitionkey",
];
const odd = fc.oneof(
  fc.constantFrom(
    "",
    "1.0",
    "0.3",
    "a b",
    "application/json",
    "2026-11-23T07:00:00Z",
    "yesterday",
    "https://[fd00::1]:6443",
    "a:b",
    "1:b",
    "]",
    "#",
    "/a",
    "eyJhIjoxfQ==",
    "%",
    1,
    -2.5,
    true,
  ),
  // That null says an attribute is not there the SDK does not know.
  fc.jsonValue().filter((value) => value !== null),
);

test("what is no event to the SDK is none to us, however it is bent", () => {
  let taken = 0;
  const bent = fc.tuple(event, fc.dictionary(fc.constantFrom(...NAMES), odd, { maxKeys: 2 }));
  fc.assert(
    fc.property(bent, ([given, changes]) => {
      const body = JSON.stringify({ specversion: "1.0", ...given, ...changes });
      const message = { headers: { "content-type": "application/cloudevents+json" }, body };
      if (!readCloudEvent(message).ok) return;
      taken += 1;
      const theirs = HTTP.toEvent(message) as CloudEventV1<unknown>;
      expect(new CloudEvent(theirs).validate()).toBe(true);
    }),
    { numRuns: propertyRuns(500, 10_000) },
  );
  expect(taken).toBeGreaterThan(50);
});
