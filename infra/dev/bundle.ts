// How everything we ship is bundled: the kubectl plugin, and the programs of the container image.
// One place, so that what runs at users is what the tests of any one of them have run.

import { readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join } from "node:path";
import type { BuildOptions, Plugin } from "esbuild";
import { root } from "./tool.ts";

/** Some dependencies are CommonJS and call require, which an ES module does not have unless it is made. */
export const requireForCommonJs: string =
  'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);';

/**
 * Node's own modules as the objects that they are. An `import` of one is given a module of ES, for which Node reads every property once:
 * of `node:http` that loads the WebSocket client and HTTP/2 with it, which is a third of a function's start.
 */
const builtinsAsTheyAre: Plugin = {
  name: "builtins-as-they-are",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /./ }, ({ path, kind }) =>
      kind === "import-statement" && isBuiltin(path) ? { path, namespace: "builtin" } : undefined,
    );
    onLoad({ filter: /./, namespace: "builtin" }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
    }));
  },
};

/** A CommonJS package has but one name, `default`, where it is loaded on its own: whoever takes a part of it by name gets undefined. */
const namesAreKept: Plugin = {
  name: "names-are-kept",
  setup({ onEnd }) {
    onEnd(({ metafile: { inputs } = { inputs: {}, outputs: {} } }) => ({
      errors: Object.entries(inputs).flatMap(([from, { imports }]) =>
        imports
          .filter(({ kind, path }) => kind === "dynamic-import" && inputs[path]?.format === "cjs")
          .filter(() => !from.includes("node_modules/"))
          .map(({ path }) => ({ text: `${from} loads ${path}: let a module of ours do so, and load that` })),
      ),
    }));
  },
};

const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** Names stay as they are in the source, so that a stack trace can be read. */
export const bundling = {
  absWorkingDir: root,
  bundle: true,
  platform: "node",
  target: "node24",
  format: "esm",
  minifySyntax: true,
  define: { ORDINAL_VERSION: JSON.stringify(version) },
  banner: { js: requireForCommonJs },
  logLevel: "warning",
  metafile: true,
  plugins: [builtinsAsTheyAre, namesAreKept],
} satisfies BuildOptions;

/**
 * What `@kubernetes/client-node`'s kubeconfig reader imports and a program in a cluster never reaches: the typed clients, ways
 * through a proxy, and log-ins that need a person. It is 1.6 MB, and half of the time until the first call. By module, the
 * names that are imported from it: esbuild refuses the build when a new version of the package wants another one.
 */
export const UNREACHED: Readonly<Record<string, readonly string[]>> = {
  "./gen/index.js": ["createConfiguration", "ServerConfiguration"],
  "./middleware.js": ["setHeaderMiddleware"],
  hpagent: ["HttpProxyAgent", "HttpsProxyAgent"],
  "jsonpath-plus": ["JSONPath"],
  "openid-client": ["customFetch", "discovery", "refreshTokenGrant"],
  socks: ["SocksClient"],
  "socks-proxy-agent": ["SocksProxyAgent"],
  undici: ["Agent", "ProxyAgent"],
};

const reader = "@kubernetes/client-node/dist";

/** Puts in the place of each of these a module that throws, and says why, when it is used after all. */
export const inClusterOnly: Plugin = {
  name: "in-cluster-only",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /./ }, ({ path, importer }) =>
      path in UNREACHED && dirname(importer).endsWith(reader) ? { path, namespace: "unreached" } : undefined,
    );
    onLoad({ filter: /./, namespace: "unreached" }, ({ path }) => ({
      contents: (UNREACHED[path] ?? [])
        .map(
          (name) =>
            `export function ${name}() { throw new Error("this program was built without ${name}: proxies and auth-provider plugins of a kubeconfig work with kubectl-ordinal only"); }`,
        )
        .join("\n"),
    }));
  },
};
