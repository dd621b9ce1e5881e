/**
 * The programs of Ordinal's image, bundled from this tree, and which npm packages are really in them.
 *
 * `/ordinal` is what Jobs carry into the images of databases: every program there is a single file. `/host` stays in our
 * image: the resident host finds functions in a folder, so it and they are many files, which share their common parts.
 */
import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { type BuildOptions, build, type Metafile } from "esbuild";
import { bundling, inClusterOnly } from "../../dev/bundle.ts";
import { root } from "../../dev/tool.ts";

/** A program in one file, `/ordinal/<name>.mjs`, and the module that it is bundled from. */
const singleFiles: Readonly<Record<string, string>> = {
  copy: "infra/images/ordinal/copy.ts",
  job: "shared/hosts/job/main.ts",
};

const host = "shared/hosts/local/main.ts";

export interface Programs {
  /** By path in the image, without the leading slash. */
  readonly files: ReadonlyMap<string, Buffer>;
  /** Keys of package-lock.json. */
  readonly packages: readonly string[];
}

/** esbuild wants a folder even where nothing is written. */
const nowhere = "/image";

function bundle(entries: Readonly<Record<string, string>>, options: BuildOptions = {}) {
  return build({
    ...bundling,
    entryPoints: Object.entries(entries).map(([out, entry]) => ({ in: entry, out })),
    outdir: nowhere,
    outExtension: { ".js": ".mjs" },
    minifyWhitespace: true,
    plugins: [...bundling.plugins, inClusterOnly],
    // The licences themselves are in the image.
    legalComments: "none",
    write: false,
    ...options,
  });
}

export async function bundlePrograms(): Promise<Programs> {
  const functions = readdirSync(join(root, "functions")).map(
    (name) => [`host/functions/${name}/index`, `functions/${name}/index.ts`] as const,
  );
  const singles = Object.entries(singleFiles).map(([name, entry]) => bundle({ [`ordinal/${name}`]: entry }));
  const many = bundle(
    { "host/host": host, ...Object.fromEntries(functions) },
    { splitting: true, chunkNames: "host/chunks/[hash]" },
  );
  const built = await Promise.all([...singles, many]);
  const files = built.flatMap(({ outputFiles = [] }) =>
    outputFiles.map(({ path, contents }) => [relative(nowhere, path), Buffer.from(contents)] as const),
  );
  const packages = built.flatMap(({ metafile }) => (metafile === undefined ? [] : packagesIn(metafile)));
  return { files: new Map(files), packages: [...new Set(packages)].sort() };
}

/** Those that some bytes are of: what esbuild has read and then left out is not shipped. */
export function packagesIn({ outputs }: Pick<Metafile, "outputs">): readonly string[] {
  return Object.values(outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([path, { bytesInOutput }]) => {
      const folder = /(?:^|\/)(node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1];
      return folder === undefined || bytesInOutput === 0 ? [] : [folder];
    }),
  );
}
