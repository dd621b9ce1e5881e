// The tests that judge a mutant: those of pure code that take milliseconds, with random inputs that never change.

import { resolve } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const root = resolve(import.meta.dirname, "../..");

/**
 * One failure ends it, so what takes long comes last: a table costs a millisecond, random inputs cost a second. What
 * is made once, when a file is loaded, is judged by all tests, and most of that is statements of the engine.
 */
const ORDER = ["test/unit/engines-mysql/", "test/mutation/", "test/unit/annotations/", "test/unit/decide/"];

class TablesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const place = ORDER.findIndex((folder) => moduleId.includes(`/${folder}`));
      return place === -1 ? ORDER.length : place;
    };
    return files.toSorted((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    root,
    include: [
      "test/unit/{decide,engines-mysql,annotations}/**/*.test.ts",
      "test/property/{decide,ackers,gtid,annotations,wish}.test.ts",
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
