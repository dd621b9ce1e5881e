// Who may import whom: the import table of docs/architecture.md as rules a tool can check.
// Each layer names everything it may reach; whatever is not named is forbidden, Node's own modules included.
// test/boundaries/fixture holds a file breaking each rule, named breaks-<rule>.ts: a rule without one that is
// reported, or a rule that reports anything else there, fails `npm run check`.

const own = (...folders) => folders.map((folder) => `^shared/${folder}/`);
const npm = (...names) => names.map((name) => `node_modules/(?:@types/)?${name}/`);

/** Added to what a layer may not reach, this lets the modules of Node itself through. */
const nodeToo = { dependencyTypesNot: ["core"] };
const streams = ["^(?:node:)?stream"];

function layer(folder, ...mayReach) {
  return {
    name: `${folder}-imports`,
    severity: "error",
    from: { path: `^shared/${folder}/` },
    to: { pathNot: [...own(folder), ...mayReach.flat()] },
  };
}

const layers = [
  layer("model", npm("zod")),
  layer("annotations", own("model", "schedule"), npm("zod")),
  layer("schedule", own("model"), npm("croner")),
  layer("decide", own("model", "annotations", "schedule")),
  layer("ports", own("model"), streams),
  layer("access", own("model", "ports", "annotations")),
  layer("observe", own("access", "model", "ports", "annotations")),
  layer("execute", own("access", "model", "ports", "annotations")),
  layer("reconcile", own("observe", "decide", "execute", "ports", "model", "annotations")),
  layer("dashboard", own("model")),
  {
    name: "backup-imports",
    severity: "error",
    from: { path: "^shared/backup/" },
    to: {
      pathNot: [...own("backup", "model", "ports", "annotations", "schedule"), ...npm("zod")],
      ...nodeToo,
    },
  },
  {
    name: "engines-imports",
    severity: "error",
    from: { path: "^shared/engines/([^/]+)/" },
    to: { pathNot: ["^shared/engines/$1/", ...own("model", "ports")] },
  },
  {
    name: "adapters-imports",
    severity: "error",
    from: { path: "^shared/adapters/([^/]+)/" },
    to: { pathNot: ["^shared/adapters/$1/", ...own("model", "ports"), "node_modules/"], ...nodeToo },
  },
  {
    name: "hosts-and-cli-imports",
    severity: "error",
    from: { path: "^shared/(?:hosts|cli)/" },
    to: { pathNot: ["^shared/", "node_modules/"], ...nodeToo },
  },
  {
    name: "functions-imports",
    severity: "error",
    from: { path: "^functions/([^/]+)/" },
    to: { pathNot: ["^functions/$1/", ...own("hosts", "model")] },
  },
];

/** One place per SDK, so that replacing it, or mapping its errors, is the work of one folder. */
function sdk(name, packages, folders) {
  return {
    name: `sdk-${name}`,
    severity: "error",
    from: { path: "^(?:shared|functions)/", pathNot: folders.map((folder) => `^shared/${folder}/`) },
    to: { path: npm(...packages) },
  };
}

const sdks = [
  sdk("kubernetes", ["@kubernetes/client-node"], ["adapters/kube"]),
  sdk("mysql", ["mysql2"], ["adapters/mysql"]),
  sdk("s3", ["@aws-sdk/[^/]+", "@smithy/[^/]+"], ["adapters/s3"]),
  sdk("cloudevents", ["cloudevents"], ["adapters/cloudevents"]),
  sdk("cron", ["node-cron"], ["hosts"]),
  sdk("cli", ["commander"], ["cli"]),
];

const wholeTree = [
  {
    name: "product-without-test-or-infra",
    severity: "error",
    from: { path: "^(?:shared|functions)/" },
    to: { path: "^(?:test|infra)/" },
  },
  {
    name: "infra-without-shared",
    severity: "error",
    from: { path: "^infra/", pathNot: "^infra/demo/" },
    to: { path: "^(?:shared|functions|test)/" },
  },
  {
    name: "product-without-dev-dependencies",
    severity: "error",
    from: { path: "^(?:shared|functions)/" },
    to: { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["type-only"] },
  },
  {
    // Types alone may name each other: nothing of them is there when the program runs.
    name: "no-cycles",
    severity: "error",
    from: {},
    to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
  },
  { name: "resolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
];

export default {
  forbidden: [...layers, ...sdks, ...wholeTree],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "test/boundaries/fixture" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      extensions: [".ts", ".mjs", ".js", ".json"],
      exportsFields: ["exports"],
      conditionNames: ["node", "import", "types", "default"],
    },
  },
};
