/** No request whatever makes the front throw or blames us: 5xx is for what is not there yet or does not answer. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { ANNOTATION } from "../../shared/annotations/keys.ts";
import { parseWish } from "../../shared/annotations/wish.ts";
import { modelOf } from "../sim/kube/watching.ts";
import { MALFORMED } from "../support/hostile.ts";
import { propertyRuns } from "../support/property-runs.ts";
import { CLUSTER, openPlace, type Sending, tokenOf } from "../unit/http/support.ts";

const text = (maxLength: number) => fc.string({ unit: "binary", maxLength });
const nasty = fc.oneof(fc.constantFrom(...MALFORMED), text(60));
const part = fc.oneof(
  fc.constantFrom("clusters", "shop", "mysql", "scale", "switchover", "operations"),
  nasty,
);
const target = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .constantFrom("scale", "switchover", "backup", "restore", "scale?dryRun=true")
      .map((end) => `${CLUSTER}/${end}`),
  },
  fc.constantFrom(
    CLUSTER,
    `${CLUSTER}/operations/scale-0123abcd`,
    "/",
    "/events",
    "/healthz",
    "/openapi.json",
  ),
  fc.tuple(fc.array(part, { maxLength: 6 }), nasty).map(([parts, query]) => `/${parts.join("/")}?${query}`),
  nasty,
);
const value = fc.oneof(
  fc.integer({ min: -2, max: 102 }),
  fc.constantFrom("mysql-1", "physical"),
  nasty,
  fc.json(),
);
const key = fc.oneof(fc.constantFrom("replicas", "to", "method", "namespace", "name"), nasty);
const event = fc.record({
  specversion: fc.constantFrom("1.0", "0.3"),
  id: nasty,
  source: fc.constant("/x"),
  type: fc.constantFrom(
    "dev.ordinal.request.scale",
    "dev.ordinal.request.switchover",
    "dev.ordinal.request.backup",
    "dev.ordinal.sweep",
    "dev.ordinal.backup-cron",
    "x",
  ),
  data: fc.dictionary(key, value, { maxKeys: 4 }),
});
const wish = fc.oneof(
  fc.record({ replicas: fc.integer({ min: 1, max: 9 }) }),
  fc.record({ to: fc.constantFrom("mysql-0", "mysql-2") }),
);
const body = fc.oneof(
  { weight: 10, arbitrary: wish },
  fc.dictionary(key, value, { maxKeys: 2 }),
  event,
  fc.array(event, { maxLength: 3 }),
  nasty,
  fc.json(),
);
const headers = fc.record(
  {
    "content-type": fc.oneof(
      { weight: 12, arbitrary: fc.constant("application/json") },
      fc.constantFrom(
        "application/json",
        "application/cloudevents+json",
        "application/cloudevents-batch+json",
      ),
      nasty,
    ),
    "idempotency-key": fc.oneof({ weight: 4, arbitrary: fc.constantFrom("k", "l") }, nasty),
    "ce-id": nasty,
    "ce-type": fc.constantFrom("dev.ordinal.request.scale", "x"),
    "ce-specversion": fc.constantFrom("1.0"),
    "ce-source": nasty,
  },
  { requiredKeys: ["content-type"] },
);
const token = fc.constantFrom(
  ...["admin", "admin", "reader", "nobody", "stranger"].map((who) => tokenOf(who)),
);
const sending: fc.Arbitrary<Sending> = fc.record({ token, body, headers });
const method = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("GET", "POST") },
  fc.constantFrom("PUT", "", "get"),
);

test("requests: none throws, none is a 5xx but 501 and 503, and what stands afterwards can be read", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(method, target, sending), { minLength: 1, maxLength: 8 }),
      async (all) => {
        const place = openPlace();
        // Without a store the preview refuses a backup, and here it refuses nothing.
        place.annotate({ [ANNOTATION.backupStore]: "backups" });
        for (const [verb, where, what] of all) {
          const { status, headers: sent } = await place.send(verb, where, what);
          expect(status < 500 || status === 501 || status === 503, `${verb} ${where} ${status}`).toBe(true);
          for (const one of Object.values(sent)) expect(one).toMatch(/^[\x20-\x7e]*$/);
        }
        expect(parseWish(modelOf("StatefulSet", place.set())).problems).toEqual([]);
      },
    ),
    // Each is up to eight requests.
    { numRuns: propertyRuns(1_000, 25_000) },
  );
}, 900_000);
