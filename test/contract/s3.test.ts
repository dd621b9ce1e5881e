/**
 * The S3 server of the local cluster keeps the promise that backups will stand on: a key that is to be new is
 * written once. A store that ignored the condition would let two backups believe that each of them is the one.
 */
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { s3Variable } from "../support/test-cluster.ts";

const raw = process.env[s3Variable];
const skipped = raw === undefined ? ` (skipped: ${s3Variable} names no S3 server)` : "";
const accessSchema = z.object({
  endpoint: z.string(),
  region: z.string(),
  accessKeyId: z.string(),
  secretAccessKey: z.string(),
  bucket: z.string(),
});

describe.skipIf(raw === undefined)(`conditional writes${skipped}`, () => {
  test("a second write of a new key is refused, and the first one stands", async () => {
    const { endpoint, region, bucket, accessKeyId, secretAccessKey } = accessSchema.parse(
      JSON.parse(raw ?? "{}"),
    );
    const client = new S3Client({
      endpoint,
      region,
      forcePathStyle: true,
      credentials: { accessKeyId, secretAccessKey },
    });
    const key = { Bucket: bucket, Key: `contract/${Date.now()}` };
    const write = (body: string) =>
      client.send(new PutObjectCommand({ ...key, Body: body, IfNoneMatch: "*" }));
    await write("first");
    await expect(write("second")).rejects.toMatchObject({ $metadata: { httpStatusCode: 412 } });
    const stored = await client.send(new GetObjectCommand(key));
    expect(await stored.Body?.transformToString()).toBe("first");
    client.destroy();
  });
});
