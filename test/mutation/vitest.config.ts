// The tests that judge a mutant: those of pure code that take milliseconds, with random inputs that never change.

import { resolve } from "node:path";
import { defineConfig } from "vitest/config";

const root = resolve(import.meta.dirname, "../..");

export default defineConfig({
  test: {
    root,
    include: [
      "test/unit/{decide,engines-mysql,annotations}/**/*.test.ts",
      "test/property/{decide,gtid,annotations}.test.ts",
      "test/mutation/verbs.test.ts",
    ],
    environment: "node",
    testTimeout: 60_000,
    setupFiles: [resolve(root, "test/mutation/same-every-time.ts")],
  },
});
