/** What a real S3 server over real TLS looks like from a backup when the world between them misbehaves. */
import { createHash, randomBytes } from "node:crypto";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { S3Limits } from "../../shared/adapters/s3/client.ts";
import { createS3Store } from "../../shared/adapters/s3/store.ts";
import { storedBytes } from "../../shared/backup/download.ts";
import { probeConditions } from "../../shared/backup/probe.ts";
import { openSealed, sealStream } from "../../shared/backup/seal.ts";
import type { Store } from "../../shared/model/store.ts";
import type { ObjectStore } from "../../shared/ports/object-store.ts";
import { errorBody, type FaultProxy, openFaultProxy } from "../support/fault-proxy.ts";
import { type S3Server, startS3Server, whyNoS3Server } from "../support/s3-server.ts";
import { collect, newIdentity, patienceOf, streamOf } from "../support/streams.ts";
import { collected, kind, value } from "./store-cases.ts";

const reason = whyNoS3Server();
const shape = { sliceBytes: 12 * 1024 ** 2, partBytes: 5 * 1024 ** 2, parallel: 2 };
const identity = newIdentity();

describe.skipIf(reason !== null)(`faults${reason === null ? "" : ` (skipped: ${reason})`}`, () => {
  let server: S3Server;
  let proxy: FaultProxy;

  beforeAll(async () => {
    server = await startS3Server();
    proxy = await openFaultProxy(server);
  });
  afterAll(async () => {
    proxy.close();
    await server.close();
  });
  afterEach(() => proxy.spoil(() => null));

  function storeOf(changes: Partial<Store> = {}, limits: Partial<S3Limits> = {}): ObjectStore {
    const store = createS3Store({ ...server.store, ...changes }, limits);
    onTestFinished(() => store.close());
    return store;
  }
  const throughProxy = (limits: Partial<S3Limits> = {}) => storeOf({ endpoint: proxy.endpoint }, limits);

  async function complaint(store: ObjectStore): Promise<string> {
    const written = await store.put("some/key", Buffer.from("x"));
    return written.ok ? "done" : `${written.failure.kind}: ${written.failure.message}`;
  }

  describe("wrong settings are told in a sentence that says what to do", () => {
    const wrongKey = { accessKeyId: "nobody", secretAccessKey: "s3cr3t-s3cr3t" };
    const key = () => (server.store.key.kind === "static" ? server.store.key : wrongKey);

    test("an access key that is not known, and a wrong secret", async () => {
      const unknown = await complaint(storeOf({ key: { kind: "static", ...wrongKey } }));
      expect(unknown).toMatch(/^refused: .*it does not know this access key; correct accessKeyId/);
      const secret = { ...key(), kind: "static" as const, secretAccessKey: "s3cr3t-s3cr3t" };
      const wrong = await complaint(storeOf({ key: secret }));
      expect(wrong).toMatch(/^refused: .*it does not know this access key; correct accessKeyId/);
      expect(unknown + wrong).not.toContain("s3cr3t");
    });

    test("a bucket that does not exist", async () => {
      expect(await complaint(storeOf({ bucket: "no-such-bucket" }))).toBe(
        `refused: Store test-store: there is no bucket no-such-bucket; create it or correct bucket in the Secret (could not write some/key in bucket no-such-bucket at ${server.store.endpoint.host}).`,
      );
    });

    test("another region", async () => {
      expect(await complaint(storeOf({ region: "us-west-1" }))).toMatch(
        /^refused: .*the bucket is not in region us-west-1; correct region/,
      );
    });

    test("an authority that nobody trusts, another name, and no TLS at all", async () => {
      expect(await complaint(storeOf({ caBundle: null }))).toMatch(
        /^refused: .*put the authority into caBundle/,
      );
      const { port } = server.store.endpoint;
      const byOtherName = storeOf({ endpoint: new URL(`https://127.0.0.2:${port}`) }, { attempts: 1 });
      expect(await complaint(byOtherName)).toMatch(/^(?:refused: .*is for another name|transient: )/);
      const plain = storeOf({ endpoint: new URL(`http://localhost:${port}`) }, { attempts: 1 });
      expect(await complaint(plain)).toMatch(/^transient: .*the connection broke off/);
    });

    test("nobody there, and a name that nobody knows", async () => {
      const nobody = storeOf({ endpoint: new URL("https://localhost:1") }, { attempts: 1 });
      expect(await complaint(nobody)).toMatch(/^transient: .*nobody listens there/);
      const unknown = storeOf({ endpoint: new URL("https://no-such-store.invalid") }, { attempts: 1 });
      expect(await complaint(unknown)).toMatch(/^transient: /);
    });

    test("no role from the platform", async () => {
      const before = { ...process.env };
      onTestFinished(() => {
        process.env = before;
      });
      process.env["AWS_EC2_METADATA_DISABLED"] = "true";
      process.env["AWS_CONFIG_FILE"] = process.env["AWS_SHARED_CREDENTIALS_FILE"] = "/dev/null";
      expect(await complaint(storeOf({ key: { kind: "iam" } }))).toMatch(
        /^refused: .*the platform gives us no role/,
      );
    });
  });

  test("an address is judged when it is connected to, whatever its name promised", async () => {
    const sentence =
      /^refused: .*(?:127\.0\.0\.1|::1) is loopback, which needs allowInternal: "true" \(could not write [^)]*\)\.$/;
    expect(await complaint(storeOf({ allowInternal: false }))).toMatch(sentence);
    const literal = { endpoint: new URL(`https://127.0.0.1:${server.store.endpoint.port}`) };
    expect(await complaint(storeOf({ ...literal, allowInternal: false }))).toMatch(sentence);
    expect(await complaint(storeOf(literal))).toBe("done");
  });

  test("a clock that is two hours off is made up for, and one that cannot be is told of", async () => {
    const store = throughProxy();
    const real = Date.now;
    onTestFinished(() => {
      Date.now = real;
    });
    Date.now = () => real() + 2 * 3_600_000;
    expect(kind(await storeOf().head("no/such"))).toMatch(/gone|refused/);
    Date.now = real;
    proxy.spoil(() => ({
      kind: "answer",
      answer: { status: 403, body: errorBody("RequestTimeTooSkewed") },
    }));
    expect(await complaint(store)).toMatch(/^refused: .*differ by more than 15 minutes; set the clock/);
  });

  describe("what passes is repeated, what lasts is told", () => {
    test("a busy store is asked again, and its wish to wait is handed on", async () => {
      let asked = 0;
      const slowDown = { status: 503, headers: { "retry-after": "1" }, body: errorBody("SlowDown") };
      proxy.spoil(() => {
        asked += 1;
        return asked <= 2 ? { kind: "answer", answer: slowDown } : null;
      });
      expect(await complaint(throughProxy())).toBe("done");
      expect(asked).toBeGreaterThanOrEqual(3);
      proxy.spoil(() => ({ kind: "answer", answer: slowDown }));
      const written = await throughProxy({ attempts: 2 }).put("busy", Buffer.from("x"));
      expect(written).toMatchObject({
        ok: false,
        failure: { kind: "transient", code: 503, retryAfterMs: 1000 },
      });
    });

    test("a page of a proxy, in place of an answer, is not taken for one", async () => {
      for (const status of [502, 504]) {
        proxy.spoil(() => ({ kind: "answer", answer: { status, body: "<html>Bad gateway</html>" } }));
        expect(await complaint(throughProxy({ attempts: 2 }))).toMatch(/^transient: /);
      }
      proxy.spoil(() => ({ kind: "answer", answer: { status: 200, body: "<html>Log in</html>" } }));
      expect(kind(await throughProxy({ attempts: 2 }).list({ prefix: "a" }))).not.toBe("done");
    });

    test("a store that says nothing does not hold anybody up", async () => {
      proxy.spoil(() => ({ kind: "stall", bytes: 0 }));
      const limits = { attempts: 2, silenceMs: 300, smallCallMs: 1_000, largeCallMs: 1_000 };
      const startedAt = performance.now();
      expect(kind(await throughProxy(limits).list({ prefix: "a" }))).toBe("transient");
      expect(await complaint(throughProxy(limits))).toMatch(/^(?:transient|done)/);
      expect(performance.now() - startedAt).toBeLessThan(4_000);
    });

    test("a write whose answer was lost is not taken for somebody else's", async () => {
      let asked = 0;
      proxy.spoil((_, told) => {
        if (told === null) return null;
        asked += 1;
        return asked === 1
          ? { kind: "retell", answer: { status: 500, body: errorBody("InternalError") } }
          : null;
      });
      const store = throughProxy();
      expect(kind(await store.put("lost-answer", Buffer.from("mine"), { ifAbsent: true }))).toBe("done");
      expect(asked).toBeGreaterThanOrEqual(2);
      asked = 0;
      expect(kind(await store.put("lost-answer", Buffer.from("other"), { ifAbsent: true }))).toBe("conflict");
    });

    test("a stream that falls silent is given up, one that is slow is not, nor a slow reader", async () => {
      const bytes = randomBytes(400_000);
      value(await storeOf().put("slow", bytes));
      const store = throughProxy({ silenceMs: 400 });
      proxy.spoil((_, told) => (told === 200 ? { kind: "stall", bytes: 100_000 } : null));
      const silent = value(await store.open("slow"));
      await expect(collected(silent)).rejects.toMatchObject({ failure: { kind: "transient" } });
      proxy.spoil((_, told) => (told === 200 ? { kind: "slow", pieceBytes: 50_000, pauseMs: 100 } : null));
      expect((await collected(value(await store.open("slow")))).equals(bytes)).toBe(true);
      const expected = { size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
      proxy.spoil(() => null);
      let size = 0;
      for await (const chunk of storedBytes(store, "slow", expected, patienceOf(3))) {
        if (size === 0) await new Promise((resolve) => setTimeout(resolve, 900));
        size += chunk.length;
      }
      expect(size).toBe(bytes.length);
    });

    test("an answer that was cut off is not taken for a whole one", async () => {
      value(await storeOf().put("cut", randomBytes(400_000)));
      proxy.spoil((_, told) => (told === 200 ? { kind: "cut", bytes: 100_000 } : null));
      const store = throughProxy({ attempts: 2 });
      expect(kind(await store.read("cut", 1e6))).toBe("transient");
      await expect(collected(value(await store.open("cut")))).rejects.toMatchObject({
        failure: { kind: "transient" },
      });
    });
  });

  test("a store without conditional writes is found out", async () => {
    expect(value(await probeConditions(throughProxy(), "probe-a"))).toBe(true);
    proxy.spoil(({ method }, told) =>
      method === "PUT" && told === 412
        ? { kind: "retell", answer: { status: 200, headers: { etag: '"x"' } } }
        : null,
    );
    expect(value(await probeConditions(throughProxy(), "probe-b"))).toBe(false);
  });

  describe("a backup in parts", () => {
    const plain = randomBytes(30 * 1024 ** 2);
    const wish = (store: ObjectStore, folder: string) => ({
      store,
      shape,
      recipients: [identity.publicKey],
      keyOf: (number: number) => `${folder}/${number}`,
      patience: patienceOf(3),
    });

    async function expectWhole(store: ObjectStore, folder: string) {
      const objects = value(await sealStream(streamOf(plain, 500_000), wish(store, folder)));
      proxy.spoil(() => null);
      const opened = openSealed({ store, objects, identity, patience: patienceOf(3) });
      expect((await collect(opened)).equals(plain)).toBe(true);
      expect(value(await store.uploads(`${folder}/`))).toEqual([]);
    }

    test("one that was completed with an error in a success is not believed, and tried again", async () => {
      const lies = [
        errorBody("InternalError"),
        `${errorBody("InternalError")}\n`,
        "",
        `   \n${errorBody("SlowDown")}`,
      ];
      let told = 0;
      proxy.spoil(({ method, url }) => {
        if (method !== "POST" || !url.searchParams.has("uploadId")) return null;
        told += 1;
        const body = lies[told - 1];
        return body === undefined ? null : { kind: "answer", answer: { status: 200, body } };
      });
      await expectWhole(throughProxy({ attempts: 2 }), "lies");
      expect(told).toBeGreaterThan(lies.length);
    });

    test("one that always is, fails, and leaves nothing", async () => {
      proxy.spoil(({ method, url }) =>
        method === "POST" && url.searchParams.has("uploadId")
          ? { kind: "answer", answer: { status: 200, body: errorBody("InternalError") } }
          : null,
      );
      const store = throughProxy({ attempts: 2 });
      expect(kind(await sealStream(streamOf(plain, 500_000), wish(store, "always")))).toBe("transient");
      expect(value(await store.uploads("always/"))).toEqual([]);
      expect(value(await store.list({ prefix: "always/" })).objects).toEqual([]);
    });

    test("an answer to the completion that was lost is found out to have been a yes", async () => {
      let lost = 0;
      proxy.spoil(({ method, url }, told) => {
        if (method !== "POST" || !url.searchParams.has("uploadId") || told === null) return null;
        lost += 1;
        return { kind: "retell", answer: { status: 500, body: errorBody("InternalError") } };
      });
      await expectWhole(throughProxy({ attempts: 1 }), "lost");
      expect(lost).toBeGreaterThan(0);
    });

    test("every part may be cut off once", async () => {
      const seen = new Set<string>();
      proxy.spoil(({ method, url }) => {
        const part = url.searchParams.get("partNumber");
        if (method !== "PUT" || part === null || seen.has(url.href)) return null;
        seen.add(url.href);
        return { kind: "drop" };
      });
      await expectWhole(throughProxy(), "parts-cut");
      expect(seen.size).toBeGreaterThan(6);
    });

    test("every reading may be cut off in the middle", async () => {
      const store = throughProxy();
      const objects = value(await sealStream(streamOf(plain, 500_000), wish(store, "read-cut")));
      let cuts = 0;
      proxy.spoil(({ method }, told) => {
        if (method !== "GET" || (told !== 200 && told !== 206)) return null;
        cuts += 1;
        return { kind: "cut", bytes: 3_000_000 };
      });
      const opened = openSealed({ store, objects, identity, patience: patienceOf(3) });
      expect((await collect(opened)).equals(plain)).toBe(true);
      expect(cuts).toBeGreaterThan(8);
    });

    test("bytes that were changed on the disk of the store are refused by the name of the object", async () => {
      const store = storeOf();
      const objects = value(await sealStream(streamOf(plain, 500_000), wish(store, "disk")));
      const file = join(server.objects, "backups/disk/2");
      expect(readdirSync(join(server.objects, "backups/disk"))).toContain("2");
      const bytes = value(await store.read("disk/2", 1e9));
      writeFileSync(file, bytes.with(7_000_000, (bytes[7_000_000] ?? 0) ^ 1));
      const opened = openSealed({ store, objects, identity, patience: patienceOf(3) });
      await expect(collect(opened)).rejects.toMatchObject({
        failure: {
          kind: "refused",
          message: expect.stringMatching(/^An object of the backup cannot be used: .* \(disk\/2\)\.$/),
        },
      });
      rmSync(file);
      const again = openSealed({ store, objects, identity, patience: patienceOf(3) });
      await expect(collect(again)).rejects.toMatchObject({
        failure: {
          kind: "refused",
          message: expect.stringMatching(/^An object of the backup cannot be used: .* \(disk\/2\)\.$/),
        },
      });
    });
  });
});
