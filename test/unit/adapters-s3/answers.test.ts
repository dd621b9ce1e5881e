/** What a store is sent, and what its answers, good and bad, become: from a server that says what a test wants. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { describe, expect, onTestFinished, test } from "vitest";
import { createS3Store } from "../../../shared/adapters/s3/store.ts";
import type { Store } from "../../../shared/model/store.ts";
import type { ObjectStore } from "../../../shared/ports/object-store.ts";
import { errorBody } from "../../support/fault-proxy.ts";

interface Request {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

type Say = (request: Request, response: ServerResponse, number: number) => void;

interface Scripted {
  readonly store: ObjectStore;
  readonly requests: readonly Request[];
}

const SECRET = "s3cr3t-access-key";

async function scripted(say: Say, changes: Partial<Store> = {}, attempts = 1): Promise<Scripted> {
  const requests: Request[] = [];
  const server = createServer((incoming, response) => {
    void buffer(incoming).then((body) => {
      const { method = "", url = "", headers } = incoming;
      const request = { method, url: new URL(url, "http://localhost"), headers, body };
      requests.push(request);
      say(request, response, requests.length);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const store = createS3Store(
    {
      name: "s3",
      endpoint: new URL(`http://127.0.0.1:${port}`),
      region: "eu-test-1",
      bucket: "backups",
      prefix: "",
      key: { kind: "static", accessKeyId: "someone", secretAccessKey: SECRET },
      caBundle: null,
      checksum: "sha256",
      ageRecipients: [],
      ageIdentity: null,
      allowInternal: true,
      ...changes,
    },
    { attempts },
  );
  onTestFinished(() => {
    store.close();
    server.closeAllConnections();
    server.close();
  });
  return { store, requests };
}

const answering = (status: number, code: string, headers: Readonly<Record<string, string>> = {}) =>
  scripted((_, response) =>
    response.writeHead(status, headers).end(code === "" ? "" : errorBody(code, SECRET)),
  );

describe("answers", () => {
  test.each([
    [404, "NoSuchKey", "gone", "there is no such object"],
    [404, "NoSuchBucket", "refused", "there is no bucket backups; create it or correct bucket"],
    [404, "SomethingElse", "refused", "it answered SomethingElse (HTTP 404)"],
    [403, "InvalidAccessKeyId", "refused", "correct accessKeyId and secretAccessKey"],
    [403, "SignatureDoesNotMatch", "refused", "correct accessKeyId and secretAccessKey"],
    [403, "AccessDenied", "refused", "access denied (AccessDenied); grant it"],
    [403, "RequestTimeTooSkewed", "refused", "set the clock of the machine that is wrong"],
    [400, "ExpiredToken", "refused", "the access key has expired"],
    [400, "AuthorizationHeaderMalformed", "refused", "the bucket is not in region eu-test-1"],
    [301, "PermanentRedirect", "refused", "the bucket is not in region eu-test-1"],
    [412, "PreconditionFailed", "conflict", "the object exists already or has changed"],
    [409, "ConditionalRequestConflict", "transient", "it is too busy"],
    [503, "SlowDown", "transient", "it is too busy"],
    [503, "", "transient", "(HTTP 503)"],
    [500, "InternalError", "transient", "it answered InternalError (HTTP 500)"],
    [429, "TooManyRequests", "transient", "(HTTP 429)"],
    [400, "XAmzContentSHA256Mismatch", "transient", "the bytes were damaged on the way"],
    [507, "InsufficientStorage", "refused", "its disk is full"],
    [501, "NotImplemented", "refused", "it cannot do this"],
  ])("%i %s is %s", async (status, code, kind, text) => {
    const { store } = await answering(status, code);
    const written = await store.put("a/b", Buffer.from("x"));
    expect(written).toMatchObject({ ok: false, failure: { kind, code: status } });
    const message = written.ok ? "" : written.failure.message;
    expect(message).toMatch(
      /^Store s3: .* \(could not write a\/b in bucket backups at 127\.0\.0\.1:\d+\)\.$/,
    );
    expect(message).toContain(text);
    expect(message).not.toContain(SECRET);
  });

  test("how long a store asks us to wait is handed on", async () => {
    const { store } = await answering(503, "SlowDown", { "retry-after": "2" });
    expect(await store.remove("a")).toMatchObject({ ok: false, failure: { retryAfterMs: 2_000 } });
  });

  test("an object under a lock is refused, not gone", async () => {
    const { store } = await answering(403, "AccessDenied");
    expect(await store.remove("a")).toMatchObject({ ok: false, failure: { kind: "refused" } });
  });

  test("a HEAD that says nothing but 404 is not believed before a GET has said why", async () => {
    const { store, requests } = await answering(404, "NoSuchBucket");
    const found = await store.head("a");
    expect(found).toMatchObject({ ok: false, failure: { kind: "refused" } });
    expect(requests.map(({ method }) => method)).toEqual(["HEAD", "GET"]);
  });

  test("a page of a listing that has a successor and does not say where is a failure", async () => {
    const page = (rest: string) =>
      `<ListBucketResult><Name>backups</Name><Contents><Key>a</Key><Size>1</Size><LastModified>2026-11-27T00:00:00.000Z</LastModified></Contents>${rest}</ListBucketResult>`;
    const whole = await scripted((_, response) => response.end(page("<IsTruncated>false</IsTruncated>")));
    expect(await whole.store.list({ prefix: "" })).toMatchObject({ ok: true, value: { next: null } });
    const cut = await scripted((_, response) => response.end(page("<IsTruncated>true</IsTruncated>")));
    expect(await cut.store.list({ prefix: "" })).toMatchObject({ ok: false, failure: { kind: "transient" } });
    const foreign = await scripted((_, response) => response.end("<html><body>Welcome</body></html>"));
    expect(await foreign.store.list({ prefix: "" })).toMatchObject({
      ok: false,
      failure: { kind: "transient" },
    });
    expect(await foreign.store.uploads("")).toMatchObject({ ok: false, failure: { kind: "transient" } });
  });

  test("a listing of uploads that gives the same page for ever ends", async () => {
    const page =
      "<ListMultipartUploadsResult><Bucket>backups</Bucket><IsTruncated>true</IsTruncated><NextKeyMarker>a</NextKeyMarker><NextUploadIdMarker>1</NextUploadIdMarker></ListMultipartUploadsResult>";
    const { store, requests } = await scripted((_, response) => response.end(page));
    expect(await store.uploads("")).toMatchObject({ ok: false, failure: { kind: "transient" } });
    expect(requests).toHaveLength(2);
  });
});

describe("requests", () => {
  const done: Say = (_, response) => response.writeHead(200, { etag: '"x"' }).end();
  const bytes = Buffer.from("some bytes");
  const sha256 = createHash("sha256").update(bytes);
  const digest = sha256.digest();

  test("a body is signed with its hash, which the store is told to keep", async () => {
    const { store, requests } = await scripted(done);
    await store.put("a b/ü+?.json", bytes, { ifAbsent: true });
    const [request] = requests;
    expect(request?.url.pathname).toBe("/backups/a%20b/%C3%BC%2B%3F.json");
    expect(request?.body.equals(bytes)).toBe(true);
    expect(request?.headers).toMatchObject({
      "content-length": String(bytes.length),
      "x-amz-content-sha256": digest.toString("hex"),
      "x-amz-checksum-sha256": digest.toString("base64"),
      "if-none-match": "*",
    });
    expect(request?.headers["transfer-encoding"]).toBeUndefined();
    expect(request?.headers["expect"]).toBeUndefined();
  });

  test("a store that refuses checksums gets none, and no condition that nobody asked for", async () => {
    const { store, requests } = await scripted(done, { checksum: "none" });
    await store.put("a", bytes);
    const names = Object.keys(requests[0]?.headers ?? {});
    expect(names.filter((name) => /checksum|trailer|if-none-match/.test(name))).toEqual([]);
    expect(requests[0]?.headers["x-amz-content-sha256"]).toBe(digest.toString("hex"));
  });

  test("a repetition sends the whole body again", async () => {
    const say: Say = (request, response, number) =>
      number === 1 ? response.writeHead(503).end(errorBody("SlowDown")) : done(request, response, number);
    const { store, requests } = await scripted(say, {}, 3);
    const large = Buffer.alloc(300_000, 7);
    expect(await store.put("a", large)).toEqual({ ok: true, value: null });
    expect(requests.map(({ body }) => body.equals(large))).toEqual([true, true]);
  });

  test("the secret of the key is never sent", async () => {
    const { store, requests } = await scripted(done);
    await store.put("a", bytes);
    await store.remove("a");
    const sent = requests.map(({ url, headers }) => JSON.stringify([url.href, headers])).join();
    expect(sent).toContain("someone");
    expect(sent).not.toContain(SECRET);
  });
});
