// The tests that judge a mutant: those of pure code that take milliseconds, with random inputs that never change.

import { resolve } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const root = resolve(import.meta.dirname, "../..");

/** One failure ends it, so what takes long comes last: a table costs a millisecond, random inputs cost a second. */
class TablesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => (moduleId.includes("/test/unit/") ? 0 : 1);
    return files.toSorted((a, b) => rank(a) - rank(b) || (a.moduleId < b.moduleId ? -1 : 1));
  }
}

export default defineConfig({
  test: {
    root,
    include: [
      "test/unit/{decide,engines-mysql,annotations}/**/*.test.ts",
      "test/property/{decide,gtid,annotations}.test.ts",
      "test/mutation/verbs.test.ts",
    ],
    environment: "node",
    // None of them leaves anything behind, and a worker for each file would cost more than all its tests.
    isolate: false,
    sequence: { sequencer: TablesFirst },
    testTimeout: 60_000,
    setupFiles: [resolve(root, "test/mutation/same-every-time.ts")],
  },
});
