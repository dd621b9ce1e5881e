/**
 * The port `ObjectStore` on S3 and what speaks like it. Every request's body is signed with its SHA-256, so what
 * a store has accepted is what we sent; with the checksum mode `sha256` the store also keeps the digest, and can
 * be asked for it. Pauses and repetitions are the SDK's.
 */
import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import { fail, type Outcome, succeed } from "../../model/outcome.ts";
import type { Store } from "../../model/store.ts";
import type { ObjectFacts, ObjectStore, ObjectStream, UploadedPart } from "../../ports/object-store.ts";
import { bodyOf, type Calls, createCalls, writing } from "./calls.ts";
import { defaultLimits, type S3Limits } from "./client.ts";
import { type Subject, sentence } from "./failures.ts";
import { listPage, openUploads } from "./listing.ts";

export function createS3Store(store: Store, limits: Partial<S3Limits> = {}): ObjectStore {
  const calls = createCalls(store, { ...defaultLimits, ...limits });
  return {
    put: (key, bytes, { ifAbsent = false } = {}) => put(calls, key, bytes, ifAbsent),
    head: (key) => head(calls, key),
    read: (key, bytesMax) => read(calls, key, bytesMax),
    open: (key, from = 0, version) => open(calls, key, from, version),
    list: (wish) => listPage(calls, wish),
    remove: (key) => remove(calls, key),
    ...multipart(calls),
    uploads: (prefix) => openUploads(calls, prefix),
    close: () => calls.close(),
  };
}

async function put(calls: Calls, key: string, bytes: Uint8Array, ifAbsent: boolean): Promise<Outcome<null>> {
  const { store, limits } = calls;
  const digest = digestOf(bytes);
  let tries = 0;
  const written = await calls.run({ verb: "write", key }, limits.largeCallMs, async (loaded, options) => {
    const command = new loaded.sdk.PutObjectCommand({
      Bucket: store.bucket,
      Key: key,
      Body: bytes,
      ...(ifAbsent && { IfNoneMatch: "*" }),
      ...(store.checksum === "sha256" && { ChecksumSHA256: digest.toString("base64") }),
    });
    const onTry = () => {
      tries += 1;
    };
    await loaded.client.send(writing(command, { bytes, digest: digest.toString("hex"), onTry }), options);
    return null;
  });
  const mayBeOurs = !written.ok && written.failure.kind === "conflict" && tries > 1;
  if (!mayBeOurs) return written;
  // A try whose answer was lost may have written it, and the next one then found it there.
  const found = await read(calls, key, bytes.length);
  return found.ok && Buffer.compare(found.value, bytes) === 0 ? succeed(null) : written;
}

async function head(calls: Calls, key: string): Promise<Outcome<ObjectFacts>> {
  const { store, limits } = calls;
  const subject: Subject = { verb: "look at", key };
  const found = await calls.run(subject, limits.smallCallMs, async ({ sdk, client }, options) => {
    const answer = await client.send(
      new sdk.HeadObjectCommand({
        Bucket: store.bucket,
        Key: key,
        ...(store.checksum === "sha256" && { ChecksumMode: "ENABLED" }),
      }),
      options,
    );
    return { size: answer.ContentLength ?? 0, digest: answer.ChecksumSHA256 ?? null };
  });
  if (found.ok || found.failure.code === undefined || found.failure.code >= 500) return found;
  // An answer to HEAD has no body: a missing bucket and a wrong key look like a missing object. A GET says which.
  const said = await open(calls, key, 0, undefined);
  if (!said.ok) return said;
  said.value.cancel();
  return fail("transient", sentence(store, subject, "the object appeared just now"));
}

async function read(calls: Calls, key: string, bytesMax: number): Promise<Outcome<Uint8Array>> {
  const subject: Subject = { verb: "read", key };
  return flattened(
    await calls.run(subject, calls.limits.smallCallMs, async ({ sdk, client }, options) => {
      const found = await client.send(
        new sdk.GetObjectCommand({ Bucket: calls.store.bucket, Key: key }),
        options,
      );
      const body = found.Body as Readable;
      const size = found.ContentLength ?? 0;
      if (size > bytesMax) {
        body.destroy();
        const what = `the object has ${size} bytes, and at most ${bytesMax} are expected of such a one`;
        return fail("refused", sentence(calls.store, subject, what));
      }
      options.abortSignal.addEventListener("abort", () => body.destroy(new Error("too slow")));
      const chunks: Uint8Array[] = [];
      for await (const chunk of body as AsyncIterable<Uint8Array>) chunks.push(chunk);
      return succeed<Uint8Array>(Buffer.concat(chunks));
    }),
  );
}

function open(
  calls: Calls,
  key: string,
  from: number,
  version: string | undefined,
): Promise<Outcome<ObjectStream>> {
  const { store, limits } = calls;
  const subject: Subject = { verb: "read", key };
  return calls.run(subject, limits.smallCallMs, async ({ sdk, client }, options) => {
    const found = await client.send(
      new sdk.GetObjectCommand({
        Bucket: store.bucket,
        Key: key,
        ...(from > 0 && { Range: `bytes=${from}-` }),
        ...(version !== undefined && { IfMatch: version }),
      }),
      options,
    );
    // Of a range, the length is of the range alone; the whole stands behind the slash.
    const whole = /\/(\d+)$/.exec(found.ContentRange ?? "")?.[1];
    const body = found.Body as Readable;
    return {
      size: Number(whole ?? found.ContentLength ?? 0),
      version: found.ETag ?? "",
      bytes: bodyOf(calls, subject, body),
      cancel: () => void body.destroy(),
    };
  });
}

async function remove(calls: Calls, key: string): Promise<Outcome<null>> {
  const { store, limits } = calls;
  const removed = await calls.run<null>(
    { verb: "delete", key },
    limits.smallCallMs,
    async ({ sdk, client }, options) => {
      await client.send(new sdk.DeleteObjectCommand({ Bucket: store.bucket, Key: key }), options);
      return null;
    },
  );
  return !removed.ok && removed.failure.kind === "gone" ? succeed(null) : removed;
}

function multipart(calls: Calls): Pick<ObjectStore, "begin" | "part" | "complete" | "abort"> {
  const { store, limits } = calls;
  const place = (key: string) => ({ Bucket: store.bucket, Key: key });
  const keepsDigests = store.checksum === "sha256";
  return {
    begin: (key) =>
      calls.run({ verb: "upload", key }, limits.smallCallMs, async ({ sdk, client }, options) => {
        const begun = await client.send(
          new sdk.CreateMultipartUploadCommand({
            ...place(key),
            ...(keepsDigests && { ChecksumAlgorithm: "SHA256", ChecksumType: "COMPOSITE" }),
          }),
          options,
        );
        return { key, id: begun.UploadId ?? "" };
      }),
    part: ({ key, id }, number, bytes) =>
      calls.run<UploadedPart>(
        { verb: "upload", key },
        limits.largeCallMs,
        async ({ sdk, client }, options) => {
          const hash = digestOf(bytes);
          const digest = hash.toString("base64");
          const command = new sdk.UploadPartCommand({
            ...place(key),
            UploadId: id,
            PartNumber: number,
            Body: bytes,
            ...(keepsDigests && { ChecksumSHA256: digest }),
          });
          const sent = await client.send(writing(command, { bytes, digest: hash.toString("hex") }), options);
          return { number, tag: sent.ETag ?? "", digest };
        },
      ),
    complete: ({ key, id }, parts) =>
      calls.run<null>({ verb: "upload", key }, limits.largeCallMs, async ({ sdk, client }, options) => {
        const done = await client.send(
          new sdk.CompleteMultipartUploadCommand({
            ...place(key),
            UploadId: id,
            MultipartUpload: {
              Parts: parts.map(({ number, tag, digest }) => ({
                PartNumber: number,
                ETag: tag,
                ...(keepsDigests && { ChecksumSHA256: digest }),
              })),
            },
          }),
          options,
        );
        // A store may begin a success, work for minutes, and only then find that it cannot do it.
        if (done.ETag === undefined) throw Object.assign(new Error("no ETag"), { name: "InternalError" });
        return null;
      }),
    async abort({ key, id }) {
      const aborted = await calls.run<null>(
        { verb: "abort the upload of", key },
        limits.smallCallMs,
        async ({ sdk, client }, options) => {
          await client.send(new sdk.AbortMultipartUploadCommand({ ...place(key), UploadId: id }), options);
          return null;
        },
      );
      return !aborted.ok && aborted.failure.kind === "gone" ? succeed(null) : aborted;
    },
  };
}

const digestOf = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();

function flattened<T>(outcome: Outcome<Outcome<T>>): Outcome<T> {
  return outcome.ok ? outcome.value : outcome;
}
