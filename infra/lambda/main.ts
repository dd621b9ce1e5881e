/**
 * `npm run package:lambda`: dist/functions/NAME.zip for each function, as serverless.yml names them, and beside them the maps
 * by which a stack trace is read. It needs no network and no account, and the same tree gives the same bytes.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../dev/tool.ts";
import { bundleFunction, lambdaFunctions } from "./bundle.ts";
import { zip } from "./zip.ts";

const folder = join(root, "dist/functions");
rmSync(folder, { recursive: true, force: true });
for (const name of lambdaFunctions()) {
  const { files, maps, staticBytes } = await bundleFunction(name);
  mkdirSync(join(folder, "maps", name), { recursive: true });
  for (const [path, content] of maps) writeFileSync(join(folder, "maps", name, path), content);
  const archive = zip(files);
  writeFileSync(join(folder, `${name}.zip`), archive);
  const kilobytes = (bytes: number) => `${Math.round(bytes / 1000)} KB`;
  console.log(`${name}.zip ${kilobytes(archive.length)}, ${kilobytes(staticBytes)} read at the start`);
}
