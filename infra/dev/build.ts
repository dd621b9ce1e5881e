// `npm run build`: bundles the kubectl plugin into one executable file, dist/kubectl-ordinal.
// kubectl finds a plugin by its file name on the PATH, so the bundle has no extension and starts with a shebang.

import { chmodSync, existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { build } from "esbuild";
import { bundling, requireForCommonJs } from "./bundle.ts";
import { root } from "./tool.ts";

const entry = join(root, "shared/cli/main.ts");
const target = join(root, "dist/kubectl-ordinal");

// Some dependencies crash on an older Node before our own code runs, with a message that helps nobody.
const nodeVersionGuard =
  'if (Number(process.versions.node.split(".")[0]) < 24) { console.error("kubectl-ordinal needs Node 24 or newer"); process.exit(1); }';

if (!existsSync(entry)) throw new Error(`nothing to build: ${entry} does not exist`);

const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

await build({
  ...bundling,
  entryPoints: [entry],
  outfile: target,
  define: { ORDINAL_VERSION: JSON.stringify(version) },
  legalComments: "linked",
  banner: { js: `#!/usr/bin/env node\n${nodeVersionGuard}\n${requireForCommonJs}` },
});
chmodSync(target, 0o755);
console.log(
  `built ${target}; to use it: export PATH="${dirname(target)}:${dirname(process.execPath)}:$PATH"`,
);
