// Writes package-lock.json anew after package.json changed: `npm run lock`.
// npm leaves an optional package of another platform out of the lockfile when it could not fetch its description,
// and `npm ci` then refuses the lockfile on every platform. This fills those gaps from the parents' exact versions,
// with the platform read off the package's name, so that the package is skipped where it does not belong.

import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { runNpm } from "./once.mjs";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const path = join(root, "package-lock.json");
const systems = /(aix|android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|win32|wasm32)/;
const processors = /-(arm64|arm|ia32|loong64|mips64el|ppc64|riscv64|s390x|x64)/;

/** Follows Node's own search: the parent's folder first, then each folder above it. */
function isLocked(packages, parent, name) {
  for (let folder = parent; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")))) {
    if (packages[join(folder, "node_modules", name)] !== undefined) return true;
    if (folder === "") return false;
  }
}

function entryFor(name, version, dev) {
  const entry = { version: version.replace(/^[~^]/, "") };
  const cpu = processors.exec(name)?.[1];
  if (cpu !== undefined) entry.cpu = [cpu];
  if (dev) entry.dev = true;
  if (name.includes("linux")) entry.libc = [/musl/.test(name) ? "musl" : "glibc"];
  entry.optional = true;
  const system = systems.exec(name)?.[1];
  if (system === undefined) throw new Error(`cannot tell the platform of ${name} from its name`);
  entry.os = [system];
  return entry;
}

function fillGaps(packages) {
  let filled = 0;
  for (const [parent, { optionalDependencies = {}, dev = false }] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      if (isLocked(packages, parent, name)) continue;
      packages[`node_modules/${name}`] = entryFor(name, version, dev);
      filled += 1;
    }
  }
  return filled;
}

if (process.argv.includes("--fresh") && existsSync(path)) rmSync(path);
await runNpm(["install", "--package-lock-only", "--ignore-scripts"], root);
const lock = JSON.parse(readFileSync(path, "utf8"));
const filled = fillGaps(lock.packages);
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
process.stderr.write(
  `ordinal: package-lock.json written, ${filled} optional packages of other platforms filled in\n`,
);
