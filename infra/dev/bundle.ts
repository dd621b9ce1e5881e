// How everything we ship is bundled: the kubectl plugin, and the programs of the container image.
// One place, so that what runs at users is what the tests of any one of them have run.

import type { BuildOptions } from "esbuild";
import { root } from "./tool.ts";

/** Some dependencies are CommonJS and call require, which an ES module does not have unless it is made. */
export const requireForCommonJs: string =
  'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);';

/** Names stay as they are in the source, so that a stack trace can be read. */
export const bundling = {
  absWorkingDir: root,
  bundle: true,
  platform: "node",
  target: "node24",
  format: "esm",
  minifySyntax: true,
  banner: { js: requireForCommonJs },
  logLevel: "warning",
} as const satisfies BuildOptions;
