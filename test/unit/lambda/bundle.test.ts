/** What Lambda gets is small where it counts, always the same, and throws its message where something was left out. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { describe, expect, onTestFinished, test } from "vitest";
import { bundling, inClusterOnly, UNREACHED } from "../../../infra/dev/bundle.ts";
import { root } from "../../../infra/dev/tool.ts";
import { bundleFunction, lambdaFunctions } from "../../../infra/lambda/bundle.ts";
import { zip } from "../../../infra/lambda/zip.ts";
import { PROGRAM_VERSION } from "../../../shared/model/program-version.ts";
import { EVENT_FUNCTIONS, REQUEST_FUNCTIONS } from "../hosts/functions.ts";

const EVENT_BYTES_MAX = 150_000;

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), "ordinal-lambda-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

const names = lambdaFunctions();

test("every function but the one that cannot end is packaged", () => {
  const all = [...EVENT_FUNCTIONS, ...REQUEST_FUNCTIONS].map(({ name }) => name);
  expect([...names, "archive"].sort()).toEqual(all.sort());
});

test.each(EVENT_FUNCTIONS.map(({ name }) => name).filter((name) => names.includes(name)))(
  `${EVENT_BYTES_MAX} bytes at most are read before %s asks the API server`,
  async (name) => {
    const { files, staticBytes } = await bundleFunction(name);
    expect(staticBytes).toBeGreaterThan(10_000);
    expect(staticBytes).toBeLessThanOrEqual(EVENT_BYTES_MAX);
    // The rest is there, and is no part of that.
    const all = [...files.values()].reduce((sum, { length }) => sum + length, 0);
    expect(all).toBeGreaterThan(2 * EVENT_BYTES_MAX);
    // What writes CloudEvents is for who sends some: this is a sentence of the SDK's.
    const sentence = "CloudEvents attribute names MUST consist of";
    expect([...files].filter(([, bytes]) => Buffer.from(bytes).includes(sentence))).toEqual([]);
  },
);

test("the same tree gives the same package, which other people's programs can read", async () => {
  const [first, second] = [await bundleFunction("sweep"), await bundleFunction("sweep")];
  expect(zip(first.files).equals(zip(second.files))).toBe(true);
  const archive = join(scratch(), "sweep.zip");
  writeFileSync(archive, zip(first.files));
  const script = `import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as given:
    assert given.testzip() is None
    print("\\n".join(f"{one.filename} {one.file_size} {one.external_attr >> 16:o}" for one in given.infolist()))`;
  const listed = execFileSync("python3", ["-c", script, archive], { encoding: "utf8" }).trim().split("\n");
  const expected = [...first.files].map(([name, { length }]) => `${name} ${length} 100644`);
  expect(listed).toEqual(expected.sort());
});

test("every bundle knows the version of package.json, and running from source says so", async () => {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const outfile = join(scratch(), "version.mjs");
  await build({ ...bundling, entryPoints: ["shared/model/program-version.ts"], outfile });
  expect(await import(outfile)).toMatchObject({ PROGRAM_VERSION: version });
  expect(PROGRAM_VERSION).toBe("from source");
  // Where metrics are rendered nothing is left to be put in.
  const { files } = await bundleFunction("metrics");
  const texts = [...files.values()].map((bytes) => Buffer.from(bytes).toString("utf8"));
  expect(texts.filter((text) => text.includes("ordinal_build_info"))).toHaveLength(1);
  expect(texts.filter((text) => text.includes("ORDINAL_VERSION"))).toEqual([]);
}, 30_000);

test.each(["mysql2", "@aws-sdk/client-s3"])(
  "a bundle in which %s would lose its names is not made",
  async (name) => {
    const contents = `console.log(await import(${JSON.stringify(name)}));`;
    const built = build({
      ...bundling,
      stdin: { contents, resolveDir: root },
      ...{ write: false, outdir: "/nowhere", splitting: true, logLevel: "silent" },
    });
    await expect(built).rejects.toThrow("let a module of ours do so");
  },
);

describe("what the reader of kubeconfigs never reaches outside of a person's machine", () => {
  test.each(Object.entries(UNREACHED).flatMap(([path, all]) => all.map((name) => [path, name] as const)))(
    "%s: %s says that it was left out",
    async (path, name) => {
      const folder = scratch();
      const reader = join(folder, "node_modules/@kubernetes/client-node/dist");
      const built = await build({
        ...bundling,
        stdin: {
          contents: `import { ${name} } from ${JSON.stringify(path)}; new ${name}();`,
          resolveDir: folder,
          // The plugin acts on what this package imports alone.
          sourcefile: join(reader, "config.js"),
        },
        ...{ plugins: [inClusterOnly], write: false, outfile: join(folder, "out.mjs") },
      });
      const file = join(folder, "out.mjs");
      writeFileSync(file, built.outputFiles[0]?.contents ?? "");
      await expect(import(/* @vite-ignore */ file)).rejects.toThrow(`this program was built without ${name}`);
    },
  );
});
