/** Runs the contract of object stores on the one in memory and on a real S3 server over TLS. */
import { describe } from "vitest";
import { createS3Store } from "../../shared/adapters/s3/store.ts";
import { createMemoryStore } from "../support/memory-store.ts";
import { startS3Server, whyNoS3Server } from "../support/s3-server.ts";
import { storeContract } from "./store-cases.ts";

describe("store in memory", () =>
  storeContract(async () => ({ store: createMemoryStore({ pageSize: 4 }), close: async () => undefined })));

const reason = whyNoS3Server();

describe.skipIf(reason !== null)(`S3 server${reason === null ? "" : ` (skipped: ${reason})`}`, () =>
  storeContract(async () => {
    const server = await startS3Server();
    return {
      store: createS3Store(server.store),
      close: () => server.close(),
    };
  }),
);
