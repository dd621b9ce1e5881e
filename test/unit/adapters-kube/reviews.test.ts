/** What is asked about a token and a right, and that nothing is believed that was not answered. */
import { describe, expect, test } from "vitest";
import type { User } from "../../../shared/ports/reviewer.ts";
import { answerJson, startFake } from "./fake-server.ts";

const TOKEN = "abc.def.ghi";
const SET = { namespace: "shop", name: "mysql" };
const ann: User = { name: "ann", uid: "7", groups: ["system:authenticated"], extra: { jti: ["1"] } };
const asApiServer = { username: "ann", uid: "7", groups: ["system:authenticated"], extra: { jti: ["1"] } };

function accepted(audiences: unknown, user: unknown = asApiServer): unknown {
  return { status: { authenticated: true, audiences, user } };
}

describe("whose token it is", () => {
  test("is asked for our audience, of the whole cluster", async () => {
    const fake = await startFake((_, response) => answerJson(response, 201, accepted(["ordinal"])));
    expect(await fake.handle.reviewer.authenticate(TOKEN, "ordinal")).toEqual({ ok: true, value: ann });
    expect(fake.requests).toMatchObject([
      { method: "POST", path: "/apis/authentication.k8s.io/v1/tokenreviews" },
    ]);
    expect(fake.requests[0]?.body).toEqual({
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenReview",
      spec: { token: TOKEN, audiences: ["ordinal"] },
    });
  });

  test.each<[string, unknown]>([
    ["not accepted", { status: { authenticated: false, error: "expired" } }],
    ["not said to be accepted", { status: { audiences: ["ordinal"], user: asApiServer } }],
    ["accepted by a server that knows no audiences", accepted(undefined)],
    ["accepted for nobody's audience", accepted([])],
    ["accepted for another audience", accepted(["https://kubernetes.default.svc"])],
    ["accepted for nobody", accepted(["ordinal"], {})],
    ["accepted without a user", { status: { authenticated: true, audiences: ["ordinal"] } }],
  ])("is nobody's when it is %s", async (_, answer) => {
    const fake = await startFake((_request, response) => answerJson(response, 201, answer));
    expect(await fake.handle.reviewer.authenticate(TOKEN, "ordinal")).toEqual({ ok: true, value: null });
  });

  test.each<[number, unknown, string]>([
    [403, { message: `cannot create with ${TOKEN}`, reason: "Forbidden" }, "refused"],
    [500, { message: `boom ${TOKEN}` }, "transient"],
    [201, { status: { authenticated: TOKEN } }, "refused"],
  ])("is not known after a %i, and no failure quotes it", async (code, answer, kind) => {
    const fake = await startFake((_, response) => answerJson(response, code, answer));
    const known = await fake.handle.reviewer.authenticate(TOKEN, "ordinal");
    expect(known).toMatchObject({ ok: false, failure: { kind } });
    expect(JSON.stringify(known)).not.toContain(TOKEN);
  });

  test("is asked again on a connection that had been closed", async () => {
    const fake = await startFake((_, response, number) => {
      if (number === 2) response.destroy();
      else answerJson(response, 201, accepted(["ordinal"]));
    });
    const { reviewer } = fake.handle;
    expect(await reviewer.authenticate(TOKEN, "ordinal")).toMatchObject({ ok: true });
    expect(await reviewer.authenticate(TOKEN, "ordinal")).toMatchObject({ ok: true });
    expect(fake.requests).toHaveLength(3);
  });
});

describe("what somebody may", () => {
  test("is asked in the namespace alone, with all that is known of them", async () => {
    const fake = await startFake((_, response) => answerJson(response, 201, { status: { allowed: true } }));
    const { reviewer } = fake.handle;
    const scale = { verb: "patch", subresource: "scale" } as const;
    expect(await reviewer.authorise(ann, scale, SET)).toEqual({ ok: true, value: true });
    expect(fake.requests[0]).toMatchObject({
      method: "POST",
      path: "/apis/authorization.k8s.io/v1/namespaces/shop/localsubjectaccessreviews",
    });
    expect(fake.requests[0]?.body).toEqual({
      apiVersion: "authorization.k8s.io/v1",
      kind: "LocalSubjectAccessReview",
      metadata: { namespace: "shop" },
      spec: {
        user: "ann",
        uid: "7",
        groups: ["system:authenticated"],
        extra: { jti: ["1"] },
        resourceAttributes: {
          namespace: "shop",
          name: "mysql",
          verb: "patch",
          group: "apps",
          resource: "statefulsets",
          subresource: "scale",
        },
      },
    });
    await reviewer.authorise(ann, { verb: "get" }, SET);
    expect(fake.requests[1]?.body).toMatchObject({ spec: { resourceAttributes: { verb: "get" } } });
    expect(JSON.stringify(fake.requests[1]?.body)).not.toContain("subresource");
  });

  test.each<[string, unknown]>([
    ["is not allowed", { status: { allowed: false, denied: true } }],
    ["is not said to be allowed", { status: { reason: "no opinion" } }],
  ])("is nothing when it %s", async (_, answer) => {
    const fake = await startFake((_request, response) => answerJson(response, 201, answer));
    expect(await fake.handle.reviewer.authorise(ann, { verb: "get" }, SET)).toEqual({
      ok: true,
      value: false,
    });
  });

  test("is not known where we may not ask", async () => {
    const fake = await startFake((_, response) => answerJson(response, 403, { message: "forbidden" }));
    expect(await fake.handle.reviewer.authorise(ann, { verb: "get" }, SET)).toMatchObject({
      ok: false,
      failure: { kind: "refused", code: 403 },
    });
  });
});
