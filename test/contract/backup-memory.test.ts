/** A backup takes the same memory however large it is, in the form in which it is shipped: bundled, over TLS. */
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root } from "../../infra/dev/tool.ts";
import { run } from "../../infra/local/process.ts";
import { NODE_ENVIRONMENT, NODE_FLAGS } from "../../shared/backup/memory.ts";
import type { BackupRunReport, BackupRunWish } from "../support/backup-run/main.ts";
import { type S3Server, startS3Server, whyNoS3Server } from "../support/s3-server.ts";
import { newIdentityText } from "../support/streams.ts";

const MEBIBYTES_MAX = 128;
const sizes = process.env["ORDINAL_NIGHTLY"] === "1" ? [512, 4_608] : [192];
const reason = process.platform === "linux" ? whyNoS3Server() : "memory is read from Linux";

describe.skipIf(reason !== null)(`memory${reason === null ? "" : ` (skipped: ${reason})`}`, () => {
  const program = join(tmpdir(), `ordinal-backup-run-${process.pid}.mjs`);
  let server: S3Server;

  beforeAll(async () => {
    server = await startS3Server();
    const entry = join(root, "test/support/backup-run/main.ts");
    const require =
      'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';
    await build({
      entryPoints: [entry],
      outfile: program,
      bundle: true,
      platform: "node",
      format: "esm",
      banner: { js: require },
      minify: true,
      logLevel: "error",
    });
  });
  afterAll(async () => {
    rmSync(program, { force: true });
    await server.close();
  });

  async function runOnce(wish: BackupRunWish): Promise<BackupRunReport> {
    const printed = await run(process.execPath, [...NODE_FLAGS, program], {
      input: JSON.stringify(wish),
      env: NODE_ENVIRONMENT,
    });
    const report = JSON.parse(printed) as BackupRunReport;
    const { seconds, cpuSeconds, peakMebibytes } = report;
    const speed = (wish.mebibytes / seconds).toFixed(0);
    const cpu = ((cpuSeconds * 1024) / wish.mebibytes).toFixed(1);
    const what = wish.objects === null ? "written" : "read";
    console.log(`${wish.mebibytes} MiB ${what}: ${speed} MiB/s, ${cpu} CPU s/GiB, peak ${peakMebibytes} MiB`);
    return report;
  }

  test.each(sizes)(
    "%i MiB are written and read back within the limit",
    { timeout: 900_000 },
    async (mebibytes) => {
      const store = { ...server.store, endpoint: server.store.endpoint.origin };
      const base = { store, folder: `memory-${mebibytes}`, mebibytes, ageIdentity: newIdentityText() };
      const written = await runOnce({ ...base, objects: null });
      const opened = await runOnce({ ...base, objects: written.objects });
      expect(written.objects).toHaveLength(Math.ceil(mebibytes / 4096));
      expect(written.peakMebibytes).toBeLessThanOrEqual(MEBIBYTES_MAX);
      expect(opened.peakMebibytes).toBeLessThanOrEqual(MEBIBYTES_MAX);
    },
  );
});
