/**
 * `npm run image`: Ordinal's container image as one file, dist/ordinal-image.tar, and its bill of materials beside it.
 *
 * No Docker, no root and no registry is needed. Standard output carries the answer, with `--json` as one object.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "../../dev/tool.ts";
import { writeArchive } from "../../local/image.ts";
import { LocalError, run, tellFailure } from "../../local/process.ts";
import { reportStages } from "../../local/progress.ts";
import { buildImage, localName } from "./image.ts";
import { buildRuntime } from "./runtime.ts";

const usage = `Usage: npm run image [-- options]

  --name NAME     what the image is called (${localName})
  --output FILE   where to put it (dist/ordinal-image.tar)
  --folder DIR    write the image's files to this folder instead, as the Dockerfile does
  --json          the answer as one JSON object
`;

/** The commit that this tree is; undefined when it is none, or when something was changed since. */
async function revision(): Promise<string | undefined> {
  // A copy without its history is no commit, and need not have git.
  if (!existsSync(join(root, ".git"))) return undefined;
  const changes = await run("git", ["status", "--porcelain"], { cwd: root });
  return changes === "" ? (await run("git", ["rev-parse", "HEAD"], { cwd: root })).trim() : undefined;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      name: { type: "string", default: localName },
      output: { type: "string", default: "dist/ordinal-image.tar" },
      folder: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return void process.stdout.write(usage);
  if (!/^[a-z0-9][a-z0-9._:/-]*:[\w.-]+$/.test(values.name)) {
    throw new LocalError(`"${values.name}" is no name of an image; say it with its tag, as ${localName}`, 2);
  }
  const dist = join(root, "dist");
  mkdirSync(dist, { recursive: true });
  const scratch = mkdtempSync(join(dist, ".image-"));
  try {
    const runtime = await reportStages("Node and its libraries", buildRuntime);
    const commit = await revision();
    const wish = { name: values.name, runtime, folder: scratch };
    const { image, sbom } = await reportStages("programs", () =>
      buildImage({ ...wish, ...(commit === undefined ? {} : { revision: commit }) }),
    );
    if (values.folder !== undefined) {
      mkdirSync(values.folder, { recursive: true });
      for (const layer of image.layers) {
        await run("tar", [
          "--extract",
          "--preserve-permissions",
          "--no-same-owner",
          `--file=${layer}`,
          `--directory=${values.folder}`,
        ]);
      }
      print(values.json, { folder: values.folder });
      return;
    }
    mkdirSync(dirname(values.output), { recursive: true });
    await reportStages("archive", () => writeArchive(values.output, image));
    const bill = values.output.replace(/(?:\.tar)?$/, ".cdx.json");
    writeFileSync(bill, sbom);
    const megabytes = Math.round(statSync(values.output).size / 1e6);
    print(values.json, { name: values.name, archive: values.output, sbom: bill, megabytes });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function print(asJson: boolean, answer: Readonly<Record<string, string | number>>): void {
  const lines = Object.entries(answer).map(([field, value]) => `${field}: ${value}`);
  process.stdout.write(`${asJson ? JSON.stringify(answer) : lines.join("\n")}\n`);
}

try {
  await main();
} catch (error) {
  process.exitCode = tellFailure("image", error);
}
