// `npm run check`: everything that can be known about the code without running it, in a few seconds.

import { checks, tidy } from "./checks.ts";
import { runChecks } from "./run-checks.ts";

const { failed } = await runChecks([...checks, tidy]);
process.exitCode = failed === 0 ? 0 : 1;
