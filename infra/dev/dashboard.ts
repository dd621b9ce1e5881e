// `npm run dashboard`: writes the dashboard's files as one module, shared/dashboard/page.generated.ts.
// Whatever serves it then needs neither a bundler nor a file beside it: a source tree, a bundle, an image and a function
// alike (docs/adr/0037-the-dashboard-is-a-module.md). A test says when the module is not what the sources would give.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { root } from "./tool.ts";

const folder = join(root, "shared/dashboard");
const shipped = { absWorkingDir: root, write: false, minify: true, logLevel: "warning" } as const;

async function bundled(entry: string): Promise<string> {
  const { outputFiles } = await build({
    ...shipped,
    entryPoints: [join(folder, entry)],
    bundle: true,
    format: "esm",
    target: ["chrome120", "firefox121", "safari17.4"],
    charset: "utf8",
  });
  return outputFiles[0]?.text ?? "";
}

/** The same sources give the same text. */
export async function dashboardModule(): Promise<string> {
  const [script, style] = await Promise.all([bundled("client/main.ts"), bundled("style.css")]);
  const files = { PAGE: readFileSync(join(folder, "index.html"), "utf8"), SCRIPT: script, STYLE: style };
  const texts = Object.entries(files).map(
    ([name, text]) => `export const ${name}: string = ${JSON.stringify(text)};`,
  );
  return `/** Written by \`npm run dashboard\` from the files beside it: change those. */\n${texts.join("\n")}\n`;
}

export const modulePath: string = join(folder, "page.generated.ts");

if (import.meta.filename === process.argv[1]) writeFileSync(modulePath, await dashboardModule());
