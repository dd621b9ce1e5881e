// `npm run coverage`: how much of the brain its unit and property tests run. Exits 1 below the limits, which are
// those of the code that decides about data: every line, and nearly every branch.

import { runTool } from "./tool.ts";

const limits = { lines: 100, branches: 98 } as const;

const { code, output } = await runTool("vitest", [
  "run",
  ...["--project", "unit", "--project", "property"],
  ...["--coverage.enabled", "--coverage.include=shared/decide/**", "--coverage.reporter=text"],
  ...Object.entries(limits).map(([of, percent]) => `--coverage.thresholds.${of}=${percent}`),
  ...["test/unit/decide", "test/property/decide"],
]);
console.log(output.trim());
process.exitCode = code;
