/**
 * Each function as Lambda gets it: its own module and the part of the Lambda host that it needs, bundled on its own, so that
 * a change of one function leaves the others' packages as they are. What is not needed before the API server is asked is
 * in further files, which are read meanwhile.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Metafile, type Plugin } from "esbuild";
import { bundling } from "../dev/bundle.ts";
import { root } from "../dev/tool.ts";

export interface Bundle {
  /** By name in the package. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** To read a stack trace by: names are shortened, which is a quarter of what is read at the start. */
  readonly maps: ReadonlyMap<string, Uint8Array>;
  /** Bytes that are read before the handler is called. */
  readonly staticBytes: number;
}

/** It follows logs for as long as they are written, which no invocation can: docs/lambda.md says what does it instead. */
const RESIDENT_ONLY = "archive";

export function lambdaFunctions(): readonly string[] {
  return readdirSync(join(root, "functions"))
    .filter((name) => name !== RESIDENT_ONLY && existsSync(join(root, "functions", name, "index.ts")))
    .sort();
}

/** What the index module of a function exports decides which part of the host it needs. */
function entryOf(name: string): string {
  const path = `functions/${name}/index.ts`;
  const kind = /export const (event|request)Function\b/.exec(readFileSync(join(root, path), "utf8"))?.[1];
  if (kind === undefined) throw new Error(`${path} exports no function`);
  return `import { ${kind}Function } from "./${path}";
import { ${kind}Handler } from "./shared/hosts/lambda/${kind}s.ts";
export const handler = ${kind}Handler(${kind}Function);`;
}

/**
 * What is read before the API server is asked is checked by zod/mini, the rest by zod, which is four times as large. Both are made of
 * the same modules, which would be shared and so be read at the start with all that zod wants of them; so mini gets its own.
 */
const miniOfItsOwn: Plugin = {
  name: "mini-of-its-own",
  setup({ onResolve, onLoad }) {
    const own = (path: string) => ({ path, namespace: "zod-mini", sideEffects: false });
    onResolve({ filter: /^zod\/mini$/ }, () => own(fileURLToPath(import.meta.resolve("zod/mini"))));
    onResolve({ filter: /^\./, namespace: "zod-mini" }, ({ path, resolveDir }) =>
      own(resolve(resolveDir, path)),
    );
    onLoad({ filter: /./, namespace: "zod-mini" }, ({ path }) => ({
      contents: readFileSync(path),
      resolveDir: dirname(path),
    }));
  },
};

function staticBytesOf({ outputs }: Metafile): number {
  const read = new Set<string>();
  const follow = (path: string): void => {
    if (read.has(path)) return;
    read.add(path);
    for (const { kind, path: next } of outputs[path]?.imports ?? [])
      if (kind === "import-statement" && next in outputs) follow(next);
  };
  for (const [path, { entryPoint }] of Object.entries(outputs)) if (entryPoint === "<stdin>") follow(path);
  return [...read].reduce((sum, path) => sum + (outputs[path]?.bytes ?? 0), 0);
}

/** esbuild wants a folder even where nothing is written. */
const nowhere = "/function";

export async function bundleFunction(name: string): Promise<Bundle> {
  const built = await build({
    ...bundling,
    plugins: [...bundling.plugins, miniOfItsOwn],
    stdin: { contents: entryOf(name), resolveDir: root, loader: "ts" },
    ...{ splitting: true, chunkNames: "[hash]", outdir: nowhere, entryNames: "index" },
    outExtension: { ".js": ".mjs" },
    ...{ minifyWhitespace: true, minifyIdentifiers: true, legalComments: "none" },
    ...{ sourcemap: "external", write: false },
  });
  const all = built.outputFiles.map(({ path, contents }) => [relative(nowhere, path), contents] as const);
  return {
    files: new Map(all.filter(([path]) => !path.endsWith(".map"))),
    maps: new Map(all.filter(([path]) => path.endsWith(".map"))),
    staticBytes: staticBytesOf(built.metafile),
  };
}
