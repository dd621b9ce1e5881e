/** Runs the contract of object stores on the one in memory and on real S3 servers over TLS. */
import { describe } from "vitest";
import { createS3Store } from "../../shared/adapters/s3/store.ts";
import { createMemoryStore } from "../support/memory-store.ts";
import { type S3Kind, startS3Server, whyNoS3Server } from "../support/s3-server.ts";
import { storeContract } from "./store-cases.ts";

describe("store in memory", () =>
  storeContract(async () => ({ store: createMemoryStore({ pageSize: 4 }), close: async () => undefined })));

const nightly = process.env["ORDINAL_NIGHTLY"] === "1";
const SERVERS: readonly (readonly [S3Kind, string | null])[] = [
  ["versitygw", whyNoS3Server()],
  ["rclone", nightly ? whyNoS3Server() : "npm run test:nightly runs it"],
];

for (const [kind, reason] of SERVERS) {
  describe.skipIf(reason !== null)(`S3 server ${kind}${reason === null ? "" : ` (skipped: ${reason})`}`, () =>
    storeContract(
      async () => {
        const server = await startS3Server({ kind });
        return { store: createS3Store(server.store), close: () => server.close() };
      },
      { keepsDigestsOfUploads: kind === "versitygw" },
    ),
  );
}
