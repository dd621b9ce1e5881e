/** What an examination reads of objects, also of those that say little, and how it asks for the rights of an account. */
import { describe, expect, test } from "vitest";
import { answerJson, startFake } from "./fake-server.ts";

const SET = { namespace: "shop", name: "mysql" };

const template = (spec: object, metadata?: object) => ({ spec: { template: { metadata, spec } } });

describe("a pod template", () => {
  test("tells its labels, its hooks, and that its pods are spread", async () => {
    const containers = [
      { name: "mysql", lifecycle: { preStop: { exec: { command: ["bash"] } } } },
      { name: "proxy", lifecycle: { postStart: {} } },
      { name: "log" },
    ];
    const affinity = { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] } };
    const body = template({ containers, affinity }, { labels: { app: "mysql" } });
    const fake = await startFake((_, response) => answerJson(response, 200, body));
    const value = { labels: { app: "mysql" }, hooked: ["mysql"], spreads: true };
    expect(await fake.handle.examiner.template(SET)).toEqual({ ok: true, value });
    expect(fake.requests).toMatchObject([
      { method: "GET", path: "/apis/apps/v1/namespaces/shop/statefulsets/mysql" },
    ]);
  });

  test.each<[string, object, boolean]>([
    ["zones", { topologySpreadConstraints: [{ topologyKey: "zone" }] }, true],
    ["no zones", { topologySpreadConstraints: [], affinity: { nodeAffinity: {} } }, false],
    ["nothing at all", { affinity: null }, false],
  ])("that names %s", async (_, spec, spreads) => {
    const body = template({ containers: [{ name: "mysql" }], ...spec });
    const fake = await startFake((_request, response) => answerJson(response, 200, body));
    const value = { labels: {}, hooked: [], spreads };
    expect(await fake.handle.examiner.template(SET)).toEqual({ ok: true, value });
  });
});

test.each<[unknown, boolean]>([
  [{ clusterIP: "None" }, true],
  [{ clusterIP: "10.0.0.1" }, false],
  [{ type: "ExternalName" }, false],
])("a Service with %o", async (spec, isHeadless) => {
  const fake = await startFake((_, response) => answerJson(response, 200, { spec }));
  expect(await fake.handle.examiner.isHeadless(SET)).toEqual({ ok: true, value: isHeadless });
});

test("budgets tell by which labels they select, and one without a selector selects nothing", async () => {
  const items = [
    { spec: { selector: { matchLabels: { app: "mysql" } } } },
    { spec: { selector: {} } },
    { spec: {} },
  ];
  const fake = await startFake((_, response) => answerJson(response, 200, { items }));
  expect(await fake.handle.examiner.budgets("shop")).toEqual({ ok: true, value: [{ app: "mysql" }, {}] });
  expect(fake.requests).toMatchObject([{ path: "/apis/policy/v1/namespaces/shop/poddisruptionbudgets" }]);
});

describe("the right of an account", () => {
  const right = { group: "", resource: "secrets", verb: "get", name: "mysql-root" };

  test("is asked for with the groups that its token would bring", async () => {
    const fake = await startFake((_, response) => answerJson(response, 201, { status: { allowed: true } }));
    const { examiner } = fake.handle;
    expect(await examiner.may("ops:keeper", right, "shop")).toEqual({ ok: true, value: true });
    expect(fake.requests[0]).toMatchObject({
      method: "POST",
      path: "/apis/authorization.k8s.io/v1/namespaces/shop/localsubjectaccessreviews",
      body: {
        spec: {
          user: "system:serviceaccount:ops:keeper",
          groups: ["system:serviceaccounts", "system:serviceaccounts:ops", "system:authenticated"],
          resourceAttributes: { ...right, namespace: "shop" },
        },
      },
    });
  });

  test("is not known where we may not ask, nor is anything else", async () => {
    const fake = await startFake((_, response) => answerJson(response, 403, { message: "forbidden" }));
    const { examiner } = fake.handle;
    const refused = { ok: false, failure: { kind: "refused", code: 403 } };
    expect(await examiner.may("ops:keeper", right, "shop")).toMatchObject(refused);
    expect(await examiner.template(SET)).toMatchObject(refused);
    expect(await examiner.isHeadless(SET)).toMatchObject(refused);
    expect(await examiner.budgets("shop")).toMatchObject(refused);
  });
});
