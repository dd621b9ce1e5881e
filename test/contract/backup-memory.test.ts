/** A backup takes the same memory however large it is, in the form in which it is shipped: bundled, over TLS. */
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root } from "../../infra/dev/tool.ts";
import { run } from "../../infra/local/process.ts";
import type { BackupRunReport, BackupRunWish } from "../support/backup-run/main.ts";
import { type S3Server, startS3Server, whyNoS3Server } from "../support/s3-server.ts";

const MEBIBYTES_MAX = 128;
const sizes = process.env["ORDINAL_NIGHTLY"] === "1" ? [512, 6_144] : [192];
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
      logLevel: "error",
    });
  });
  afterAll(async () => {
    rmSync(program, { force: true });
    await server.close();
  });

  test.each(sizes)(
    "%i MiB are written and read back within the limit",
    { timeout: 900_000 },
    async (mebibytes) => {
      const store = { ...server.store, endpoint: server.store.endpoint.origin };
      const wish: BackupRunWish = { store, folder: `memory-${mebibytes}`, mebibytes };
      const printed = await run(process.execPath, [program], { input: JSON.stringify(wish) });
      const report = JSON.parse(printed) as BackupRunReport;
      console.log(mebibytes, JSON.stringify(report));
      expect(report.objects).toBe(Math.ceil(mebibytes / 4096));
      expect(report.sealing.peakMebibytes).toBeLessThanOrEqual(MEBIBYTES_MAX);
      expect(report.opening.peakMebibytes).toBeLessThanOrEqual(MEBIBYTES_MAX);
    },
  );
});
