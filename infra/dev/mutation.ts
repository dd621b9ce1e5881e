// `npm run mutation`: changes the code in small ways and sees whether a test notices (docs/mutation.md).
// `-- --mutate shared/decide/plan/elect.ts` looks at one file; what was found before is kept and not run again.

import { spawn } from "node:child_process";
import { join } from "node:path";
import { root } from "./tool.ts";

/** Each change is judged by all that run it, so the random inputs are few, and the same in every run. */
const env = { ...process.env, ORDINAL_PROPERTY_RUNS_MAX: "100" };
const args = ["run", "test/mutation/stryker.config.json", ...process.argv.slice(2)];
// It takes minutes to hours, so what it says is passed on while it runs.
const stryker = spawn(join(root, "node_modules/.bin/stryker"), args, { cwd: root, env, stdio: "inherit" });
stryker.on("exit", (code) => {
  process.exitCode = code ?? 1;
});
