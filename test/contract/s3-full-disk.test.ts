/** A store whose disk is full: the backup fails with a reason, leaves nothing, and the next one works again. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../../infra/local/process.ts";
import { createS3Store } from "../../shared/adapters/s3/store.ts";
import { sealStream } from "../../shared/backup/seal.ts";
import type { ObjectStore } from "../../shared/ports/object-store.ts";
import { whyNoServers } from "../runner/tiers.ts";
import { type S3Server, startS3Server, whyNoS3Server } from "../support/s3-server.ts";
import { patienceOf, streamOf } from "../support/streams.ts";
import { kind, value } from "./store-cases.ts";

const reason = whyNoServers() ?? whyNoS3Server();

describe.skipIf(reason !== null)(`full disk${reason === null ? "" : ` (skipped: ${reason})`}`, () => {
  const volume = mkdtempSync(join(tmpdir(), "ordinal-small-"));
  let server: S3Server;
  let store: ObjectStore;

  beforeAll(async () => {
    await run("mount", ["-t", "tmpfs", "-o", "size=24m", "tmpfs", volume]);
    server = await startS3Server({ objects: volume });
    store = createS3Store(server.store, { attempts: 2 });
  });
  afterAll(async () => {
    store?.close();
    await server?.close();
    await run("umount", [volume]);
    rmSync(volume, { recursive: true });
  });

  const backup = (bytes: number, folder: string) =>
    sealStream(streamOf(randomBytes(bytes), 500_000), {
      store,
      keyOf: (number) => `${folder}/${number}`,
      patience: patienceOf(2),
      recipients: [],
    });

  test("what does not fit fails and leaves nothing; what fits is kept", async () => {
    const failed = await backup(40 * 1024 ** 2, "large");
    expect(failed.ok ? "" : failed.failure.message).toMatch(
      /^Store test-store: .* \(could not upload large\/1 /,
    );
    expect(value(await store.uploads("large/"))).toEqual([]);
    expect(value(await store.list({ prefix: "large/" })).objects).toEqual([]);
    expect(kind(await backup(6 * 1024 ** 2, "small"))).toBe("done");
  });
});
