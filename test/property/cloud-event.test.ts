/** What the SDK of CloudEvents writes, in each of its forms, our reader takes for the same event. */
import { CloudEvent, HTTP } from "cloudevents";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type HttpMessage, readCloudEvent } from "../../shared/hosts/cloud-event.ts";
import { propertyRuns } from "../support/property-runs.ts";

/** What a header may hold as it is. Others are percent-encoded, which the SDK leaves to its user. */
const text = fc.stringMatching(/^[a-zA-Z0-9._/:-]{1,40}$/);
const event = fc.record(
  {
    ...{ id: text, source: text, type: text, subject: text, partitionkey: text },
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
