// `npm run format`: writes the formatting and the safe fixes that `npm run check` would ask for.
// With paths it keeps to them, so that one part of the tree can be formatted while others are being written.

import { runTool } from "./tool.ts";

const { code, output } = await runTool("biome", ["check", "--write", ...process.argv.slice(2)]);
console.log(output.trim());
process.exitCode = code;
