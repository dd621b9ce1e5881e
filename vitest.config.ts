// One vitest project per tier of tests, so that a tier can be chosen by name: `vitest --project unit`.
// Where files share real servers they run one after another.

import { resolve } from "node:path";
import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config";
import { skipReporter } from "./test/runner/skips.ts";
import { reportVariable, type Tier, tiers } from "./test/runner/tiers.ts";
import { wordReporter } from "./test/runner/words.ts";

const root = import.meta.dirname;

function project({ name, testTimeoutMs, serial, hasCluster }: Tier): TestProjectInlineConfiguration {
  return {
    test: {
      name,
      root,
      include: [`test/${name}/**/*.test.ts`],
      environment: "node",
      testTimeout: testTimeoutMs,
      hookTimeout: testTimeoutMs,
      fileParallelism: !serial,
      setupFiles: name === "unit" ? [resolve(root, "test/support/words-setup.ts")] : [],
      globalSetup: hasCluster ? [resolve(root, "test/support/cluster-setup.ts")] : [],
    },
  };
}

const reportPath = process.env[reportVariable];

export default defineConfig({
  test: {
    projects: tiers.map(project),
    reporters: [
      "default",
      skipReporter,
      wordReporter,
      ...(reportPath === undefined ? [] : [["json", { outputFile: reportPath }] as ["json", object]]),
    ],
  },
});
