// Runs one TypeScript entry of this repository with the Node version it is written for.
// Every npm script starts here, so that a fresh clone works with nothing but some Node (18 or newer) and npm:
// this file first makes node_modules match the lockfile, then finds or fetches the pinned Node, then hands over.
// It is plain JavaScript without dependencies, because it runs before any of them exist and on Nodes that cannot
// read TypeScript. It must never print to standard output: with --json that stream belongs to the entry.

import { spawn } from "node:child_process";
import { constants } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureModules } from "./modules.mjs";
import { ensureNode } from "./node24.mjs";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

/** The entry sees the pinned Node first and the project's tools second, whatever the user's shell offers. */
function environmentFor(node) {
  const path = [dirname(node), join(root, "node_modules/.bin"), process.env.PATH ?? ""].join(delimiter);
  return { ...process.env, PATH: path };
}

/** A terminal sends its Ctrl-C to the whole group, so passing it on as well would reach the child twice. */
function forwardSignals(child) {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => {
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    });
  }
}

function run(node, args) {
  return new Promise((done, fail) => {
    const child = spawn(node, args, { cwd: root, stdio: "inherit", env: environmentFor(node) });
    forwardSignals(child);
    child.on("error", fail);
    child.on("exit", (code, signal) => done(code ?? 128 + (constants.signals[signal] ?? 0)));
  });
}

async function main([entry, ...args]) {
  if (entry === undefined) throw new Error("usage: node infra/dev/run.mjs <entry.ts> [arguments]");
  await ensureModules(root);
  const node = await ensureNode();
  process.exitCode = await run(node, [resolve(root, entry), ...args]);
}

main(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`ordinal: ${error.message}\n`);
  process.exitCode = 1;
});
