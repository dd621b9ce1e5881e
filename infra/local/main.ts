/**
 * The command line of the local cluster: up, down, status, logs, env, store.
 *
 * Standard output carries the answer and nothing else, its last line is JSON with `--json`. Exit
 * code 2 means that the person must change something first, and the sentence says what.
 */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { logFolder } from "./components.ts";
import { allNames, type ClusterStatus, defaultName, down, LocalError, status, up } from "./index.ts";
import { folderOf } from "./instance.ts";
import { tellFailure } from "./process.ts";
import { readS3Access } from "./s3.ts";
import { storeFields, storeSecret } from "./store-secret.ts";

const usage = `Usage: npm run local -- <up|down|status|logs|env|store> [options]

  up                 bring the cluster up with the image of this tree; returns when it works
  down [--all]       remove the cluster, or all local clusters
  status             say whether it runs, and how to reach it
  logs [COMPONENT]   list the log files, or print one
  env                print what a shell needs to work with it: eval "$(npm run -s local -- env)"
  store [PREFIX]     print the Secret "backups" of its S3 server, for kubectl apply; PREFIX is a folder in the bucket

  --name NAME        which cluster (${defaultName})
  --context NAME     use this context of your own kubeconfig instead; nothing is built or removed
  --json             the last line of standard output is one JSON object
`;

type Flags = {
  readonly name: string;
  readonly context: string | undefined;
  readonly json: boolean;
  readonly all: boolean;
};

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      name: { type: "string", default: defaultName },
      context: { type: "string" },
      json: { type: "boolean", default: false },
      all: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const [verb = "", subject] = positionals;
  const flags = { ...values, context: values.context };
  switch (values.help ? "help" : verb) {
    case "up":
      print(await up({ name: flags.name, ...onlySet({ context: flags.context }) }), flags);
      return 0;
    case "down":
      return await runDown(flags);
    case "status": {
      const found = await status(flags.name, flags.context);
      print(found, flags);
      return found.running ? 0 : 1;
    }
    case "logs":
      return runLogs(flags.name, subject);
    case "env":
      return await runEnv(flags);
    case "store":
      return runStore(flags.name, subject);
    case "help":
      process.stdout.write(usage);
      return 0;
    default:
      process.stderr.write(usage);
      return 2;
  }
}

function onlySet(options: { readonly context: string | undefined }): { readonly context?: string } {
  return options.context === undefined ? {} : { context: options.context };
}

async function runDown(flags: Flags): Promise<number> {
  const names = flags.context !== undefined ? [] : flags.all ? allNames() : [flags.name];
  for (const name of names) await down(name);
  if (flags.json) process.stdout.write(`${JSON.stringify({ running: false, removed: names })}\n`);
  return 0;
}

function runLogs(name: string, component: string | undefined): number {
  const folder = logFolder(folderOf(name));
  const files = existsSync(folder) ? readdirSync(folder).sort() : [];
  if (component === undefined) {
    for (const file of files) process.stdout.write(`${join(folder, file)}\n`);
    return 0;
  }
  if (!files.includes(`${component}.log`)) {
    throw new LocalError(`${name} has no log of "${component}"; there are: ${files.join(", ")}`, 2);
  }
  process.stdout.write(readFileSync(join(folder, `${component}.log`)));
  return 0;
}

/** This cluster, its kubectl, `kubectl ordinal` once it is built, and the Node that it needs. */
async function runEnv({ name, context }: Flags): Promise<number> {
  const found = await status(name, context);
  if (!found.running) throw new LocalError(`${name} is not running: npm run local -- up --name ${name}`, 2);
  const folders = [
    ...(found.kubectl === undefined ? [] : [dirname(found.kubectl)]),
    ...[join(import.meta.dirname, "../../dist"), dirname(process.execPath)],
  ];
  process.stdout.write(`export KUBECONFIG=${quoted(found.kubeconfig)}\n`);
  process.stdout.write(`export PATH=${quoted(folders.join(delimiter))}:"$PATH"\n`);
  return 0;
}

/** As a shell reads it back. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function runStore(name: string, prefix = "tutorial"): number {
  const access = readS3Access(folderOf(name));
  if (access === undefined)
    throw new LocalError(`${name} has no S3 server: npm run local -- up --name ${name}`, 2);
  process.stdout.write(`${storeSecret("backups", storeFields(access, prefix))}\n`);
  return 0;
}

function print(found: ClusterStatus, flags: Flags): void {
  if (flags.json) {
    process.stdout.write(`${JSON.stringify(found)}\n`);
    return;
  }
  if (!found.running) {
    process.stdout.write(`${found.name} is not running\n`);
    return;
  }
  const lines = [
    `${found.name} is running: Kubernetes ${found.versions["kubernetes"]}`,
    found.s3 === undefined ? "" : `S3: ${found.s3.endpoint}, bucket ${found.s3.bucket}`,
    found.kubectl === undefined ? "" : `kubectl: ${found.kubectl}`,
    found.context === undefined ? "" : `context: ${found.context}`,
    `export KUBECONFIG=${found.kubeconfig}`,
  ];
  process.stdout.write(`${lines.filter((line) => line !== "").join("\n")}\n`);
}

try {
  process.exitCode = await main();
} catch (error) {
  process.exitCode = tellFailure("local", error);
}
