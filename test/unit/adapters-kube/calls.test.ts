/** What is sent to the API server, and what its answers, good and bad, become. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { wayOfKubeconfig } from "../../../shared/adapters/kube/kubeconfig.ts";
import { wayOfPod } from "../../../shared/adapters/kube/token-way.ts";
import { answerJson, listJson, secretJson, startFake } from "./fake-server.ts";

const REF = { namespace: "shop", name: "a" };

describe("requests", () => {
  test("a read names us and asks for no version", async () => {
    const fake = await startFake((_, response) => answerJson(response, 200, secretJson("a", 1)));
    expect(await fake.handle.kube.read("Secret", REF)).toMatchObject({ ok: true, value: { uid: "uid-a" } });
    const [request] = fake.requests;
    expect(request).toMatchObject({ method: "GET", path: "/api/v1/namespaces/shop/secrets/a", body: null });
    expect(request?.headers).toMatchObject({ "user-agent": "ordinal/unit", authorization: "Bearer sesame" });
    expect([...(request?.query ?? [])]).toEqual([]);
    expect(fake.handle.namespace).toBe("shop");
  });

  test("a path in front of the API is kept", async () => {
    const prefix = "/k8s/clusters/c-1";
    const fake = await startFake((_, response) => answerJson(response, 200, secretJson("a", 1)), { prefix });
    await fake.handle.kube.read("Secret", REF);
    expect(fake.requests[0]?.path).toBe(`${prefix}/api/v1/namespaces/shop/secrets/a`);
  });

  test("a patch holds what was named and nothing else", async () => {
    const fake = await startFake((_, response) => answerJson(response, 200, secretJson("a", 2)));
    const { kube } = fake.handle;
    await kube.patch("Secret", REF, { uid: "u", labels: { x: null } });
    await kube.patch("Secret", REF, { uid: "u", resourceVersion: "7", values: { k: "ü", gone: null } });
    await kube.patch("Service", REF, { uid: "u", annotations: { n: "1" }, selector: { app: "db" } });
    expect(fake.requests.map((each) => [each.headers["content-type"], each.body])).toEqual([
      ["application/merge-patch+json", { metadata: { uid: "u", labels: { x: null } } }],
      [
        "application/merge-patch+json",
        { metadata: { uid: "u", resourceVersion: "7" }, data: { k: "w7w=", gone: null } },
      ],
      [
        "application/strategic-merge-patch+json",
        {
          metadata: { uid: "u", annotations: { n: "1" } },
          spec: { selector: { $patch: "replace", app: "db" } },
        },
      ],
    ]);
  });

  test("parts of a patch that the kind has not are a bug", async () => {
    const { kube } = (await startFake((_, response) => response.end())).handle;
    await expect(kube.patch("Pod", REF, { uid: "u", values: {} })).rejects.toThrow("assertion failed");
    await expect(kube.patch("Pod", REF, { uid: "u", selector: {} })).rejects.toThrow("assertion failed");
  });

  test("a removal carries the uid, and its length", async () => {
    const fake = await startFake((_, response) => answerJson(response, 200, {}));
    expect(await fake.handle.kube.remove("Secret", { ...REF, uid: "u" })).toEqual({ ok: true, value: null });
    expect(fake.requests[0]).toMatchObject({ method: "DELETE", body: { preconditions: { uid: "u" } } });
    expect(fake.requests[0]?.headers["transfer-encoding"]).toBeUndefined();
    expect(Number(fake.requests[0]?.headers["content-length"])).toBeGreaterThan(0);
  });

  test("a manifest cannot change what it is", async () => {
    const fake = await startFake((_, response) => answerJson(response, 201, secretJson("a", 2)));
    const owner = { apiVersion: "apps/v1", kind: "StatefulSet", name: "db", uid: "s" };
    const body = { kind: "Pod", metadata: { name: "z" }, type: "Opaque" };
    await fake.handle.kube.create("Secret", { ...REF, labels: { a: "1" }, owner, body });
    expect(fake.requests[0]?.path).toBe("/api/v1/namespaces/shop/secrets");
    expect(fake.requests[0]?.body).toEqual({
      apiVersion: "v1",
      kind: "Secret",
      type: "Opaque",
      metadata: { ...REF, labels: { a: "1" }, ownerReferences: [owner] },
    });
  });
});

describe("lists", () => {
  test("pages are put together", async () => {
    const fake = await startFake((_, response, number) =>
      answerJson(
        response,
        200,
        listJson(9, [secretJson(`s${number}`, 1)], number < 3 ? `next-${number}` : ""),
      ),
    );
    const listed = await fake.handle.kube.list("Secret", { namespace: "shop", labels: { a: "1", b: "" } });
    expect(listed).toMatchObject({ ok: true, value: [{ name: "s1" }, { name: "s2" }, { name: "s3" }] });
    expect(fake.requests.map(({ query }) => Object.fromEntries(query))).toEqual([
      { labelSelector: "a=1,b=", limit: "500" },
      { labelSelector: "a=1,b=", limit: "500", continue: "next-1" },
      { labelSelector: "a=1,b=", limit: "500", continue: "next-2" },
    ]);
  });

  test("a forgotten place begins the list afresh", async () => {
    const fake = await startFake(({ query }, response, number) => {
      if (query.has("continue") && number === 2)
        answerJson(response, 410, { reason: "Expired", message: "old" });
      else answerJson(response, 200, listJson(9, [secretJson(`s${number}`, 1)], number === 1 ? "next" : ""));
    });
    const listed = await fake.handle.kube.list("Secret", {});
    expect(listed).toMatchObject({ ok: true, value: [{ name: "s3" }] });
  });

  test("a place that is forgotten again and again is transient", async () => {
    const fake = await startFake(({ query }, response) => {
      if (query.has("continue")) answerJson(response, 410, { reason: "Expired", message: "old" });
      else answerJson(response, 200, listJson(9, [], "next"));
    });
    expect(await fake.handle.kube.list("Secret", {})).toMatchObject({
      failure: { kind: "transient", code: 410 },
    });
    expect(fake.requests).toHaveLength(6);
  });

  test("an answer that is no list is refused", async () => {
    const fake = await startFake((_, response) => answerJson(response, 200, { items: [secretJson("a", 1)] }));
    const message = "The API server's answer to list Secret lacks: metadata";
    expect(await fake.handle.kube.list("Secret", {})).toEqual({
      ok: false,
      failure: { kind: "refused", message },
    });
  });
});

describe("failures", () => {
  const message = "as it is";
  const uidCause = { causes: [{ reason: "FieldValueInvalid", field: "metadata.uid" }] };
  const nameCause = { causes: [{ reason: "FieldValueInvalid", field: "metadata.name" }] };
  test.each([
    [409, {}, "conflict"],
    [404, {}, "gone"],
    [400, {}, "refused"],
    [401, {}, "refused"],
    [403, {}, "refused"],
    [422, { details: nameCause }, "refused"],
    [422, { details: uidCause }, "conflict"],
    [429, {}, "transient"],
    [500, {}, "transient"],
    [503, {}, "transient"],
    [302, {}, "refused"],
  ])("HTTP %i %j is %s", async (code, more, kind) => {
    const fake = await startFake((_, response) => answerJson(response, code, { message, ...more }));
    expect(await fake.handle.kube.patch("Pod", REF, { uid: "u" })).toEqual({
      ok: false,
      failure: { kind, code, message: `The API server did not patch Pod shop/a: ${message} (HTTP ${code})` },
    });
  });

  test.each([
    ["7", 7000],
    ["0", 0],
    ["Wed, 21 Oct 2026 07:28:00 GMT", undefined],
  ])("Retry-After %s", async (header, retryAfterMs) => {
    const fake = await startFake((_, response) => answerJson(response, 429, {}, { "retry-after": header }));
    const outcome = await fake.handle.kube.read("Pod", REF);
    expect(outcome).toMatchObject({ ok: false, failure: { kind: "transient" } });
    expect(outcome.ok ? null : outcome.failure.retryAfterMs).toBe(retryAfterMs);
  });

  test("what a proxy says in HTML is left out", async () => {
    const fake = await startFake((_, response) => response.writeHead(502).end("<html>"));
    const failure = {
      kind: "transient",
      message: "The API server did not read Pod shop/a: HTTP 502",
      code: 502,
    };
    expect(await fake.handle.kube.read("Pod", REF)).toEqual({ ok: false, failure });
  });

  test("of a Secret only the reason is told, and of an unreadable answer nothing", async () => {
    const fake = await startFake((_, response, number) => {
      if (number === 1)
        answerJson(response, 422, { reason: "Invalid", message: "data: topsecret is not base64" });
      else response.end("topsecret");
    });
    const first = await fake.handle.kube.create("Secret", { ...REF, body: {} });
    expect(first).toMatchObject({ failure: { message: expect.stringContaining("Invalid (HTTP 422)") } });
    const second = await fake.handle.kube.read("Secret", REF);
    expect(second).toMatchObject({ failure: { kind: "transient" } });
    expect(JSON.stringify([first, second])).not.toContain("topsecret");
  });

  test("a server that does not answer in time, and one that hangs up, are transient", async () => {
    const limits = { requestTimeoutMs: 50 };
    const fake = await startFake(
      ({ path }, response) => {
        if (path.endsWith("/b")) response.destroy();
        else if (path.endsWith("/c")) response.writeHead(200).write('{"metadata"');
      },
      { limits },
    );
    const late = { failure: { kind: "transient", message: expect.stringContaining("not within 50 ms") } };
    expect(await fake.handle.kube.read("Pod", REF)).toMatchObject(late);
    expect(await fake.handle.kube.read("Pod", { ...REF, name: "c" })).toMatchObject(late);
    expect(await fake.handle.kube.create("Pod", { ...REF, name: "b", body: {} })).toMatchObject(late);
    expect(await fake.handle.kube.patch("Pod", { ...REF, name: "b" }, { uid: "u" })).toMatchObject({
      failure: { kind: "transient" },
    });
  });
});

describe("connections", () => {
  test("one is kept for calls in a row", async () => {
    const ports = new Set<number | undefined>();
    const fake = await startFake((_, response) => {
      ports.add(response.socket?.remotePort);
      answerJson(response, 200, secretJson("a", 1));
    });
    for (let n = 0; n < 5; n += 1) await fake.handle.kube.read("Secret", REF);
    expect(ports.size).toBe(1);
  });

  test("on one that has died since, a read is repeated and a change is not", async () => {
    const fake = await startFake((_, response, number) => {
      if (number % 2 === 0) response.destroy();
      else answerJson(response, 200, secretJson("a", number));
    });
    const { kube } = fake.handle;
    expect(await kube.read("Secret", REF)).toMatchObject({ value: { resourceVersion: "1" } });
    expect(await kube.read("Secret", REF)).toMatchObject({ value: { resourceVersion: "3" } });
    const patched = await kube.patch("Secret", REF, { uid: "u", labels: { a: "1" } });
    expect(patched).toMatchObject({ failure: { kind: "transient" } });
    expect(fake.requests).toHaveLength(4);
  });

  test("what answers nothing on a fresh connection is not asked again", async () => {
    const fake = await startFake((_, response) => response.destroy());
    expect(await fake.handle.kube.read("Secret", REF)).toMatchObject({ failure: { kind: "transient" } });
    expect(fake.requests).toHaveLength(1);
  });
});

describe("credentials", () => {
  function plugin(script: string): { readonly exec: object } {
    const version = "client.authentication.k8s.io/v1";
    return { exec: { apiVersion: version, command: process.execPath, args: ["-e", script] } };
  }

  test("a plugin's token is asked for again once it is old", async () => {
    const until = "new Date(Date.now() - 1000).toISOString()";
    const status = `{ token: "t" + process.pid, expirationTimestamp: ${until} }`;
    const user = plugin(`console.log(JSON.stringify({ status: ${status} }))`);
    const fake = await startFake((_, response) => answerJson(response, 200, secretJson("a", 1)), { user });
    const { kube } = fake.handle;
    await Promise.all([kube.read("Secret", REF), kube.read("Secret", REF)]);
    fake.skipMs(59_000);
    await kube.read("Secret", REF);
    fake.skipMs(2_000);
    await kube.read("Secret", REF);
    const [first, second, third, fourth] = fake.requests.map((each) => each.headers.authorization);
    expect(first).toMatch(/^Bearer t\d+$/);
    expect([second, third]).toEqual([first, first]);
    expect(fourth).toMatch(/^Bearer t\d+$/);
    expect(fourth).not.toBe(first);
  });

  test.each([
    ["fails", 'console.error("sesame"); process.exit(1)'],
    ["prints no JSON", 'console.log("sesame")'],
  ])("a plugin that %s is transient, and its words are not repeated", async (_, script) => {
    const fake = await startFake((_request, response) => response.end(), { user: plugin(script) });
    const outcome = await fake.handle.kube.read("Pod", REF);
    expect(outcome).toMatchObject({ failure: { kind: "transient" } });
    expect(JSON.stringify(outcome)).toContain("no credentials");
    expect(JSON.stringify(outcome)).not.toContain("sesame");
  });

  test("a plugin that hangs ends with the time of the call", async () => {
    const user = plugin("setTimeout(() => undefined, 1500)");
    const limits = { requestTimeoutMs: 50 };
    const fake = await startFake((_, response) => response.end(), { user, limits });
    expect(await fake.handle.kube.read("Pod", REF)).toMatchObject({
      failure: { kind: "transient", message: expect.stringContaining("not within 50 ms") },
    });
  });

  test("a kubeconfig that leads nowhere is an error of whoever started us", async () => {
    const { kubeconfig } = await startFake((_, response) => response.end());
    expect(() => wayOfKubeconfig(kubeconfig, "astray")).toThrow("astray");
    expect(() => wayOfKubeconfig(kubeconfig, "unknown")).toThrow("unknown");
    expect(() => wayOfKubeconfig(`${kubeconfig}-absent`)).toThrow("ENOENT");
  });
});

describe("the account of a Pod", () => {
  const env = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "6443" };
  const account = (files: Readonly<Record<string, string>>): string => {
    const folder = mkdtempSync(join(tmpdir(), "ordinal-account-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    return folder;
  };

  test("says where the API server is, and its token is read anew each time", async () => {
    const folder = account({ "ca.crt": "PEM", namespace: "shop", token: "first\n" });
    const way = await wayOfPod(env, folder);
    expect(way).toMatchObject({ namespace: "shop", proxied: false });
    expect(way.server.href).toBe("https://[fd00::1]:6443/");
    expect(await way.credentials()).toEqual({ ca: "PEM", headers: { authorization: "Bearer first" } });
    writeFileSync(join(folder, "token"), "second");
    expect(await way.credentials()).toMatchObject({ headers: { authorization: "Bearer second" } });
  });

  test("is an error of whoever started us where there is none", async () => {
    await expect(wayOfPod({})).rejects.toThrow("this is no Pod");
    await expect(wayOfPod(env, account({}))).rejects.toThrow("ca.crt");
  });
});
