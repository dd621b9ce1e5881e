// Keeps node_modules equal to package-lock.json.
// A stamp with the lockfile's hash is written only after a whole install, so an interrupted one is done again,
// and two commands started together install once: the second waits and then finds the stamp.

import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runNpm, withLock } from "./once.mjs";

const stampName = ".ordinal-lockfile-hash";

function wantedStamp(root) {
  const lockfile = readFileSync(join(root, "package-lock.json"));
  const hash = createHash("sha256").update(lockfile).digest("hex");
  return `${hash} ${process.platform}-${process.arch}`;
}

function isFresh(root, wanted) {
  try {
    return readFileSync(join(root, "node_modules", stampName), "utf8") === wanted;
  } catch {
    return false;
  }
}

export async function ensureModules(root) {
  const wanted = wantedStamp(root);
  if (isFresh(root, wanted)) return;
  const lockName = `modules-${createHash("sha256").update(root).digest("hex").slice(0, 16)}`;
  await withLock(lockName, async () => {
    if (isFresh(root, wanted)) return;
    process.stderr.write("ordinal: installing dependencies (npm ci)\n");
    // No dependency here needs its install script, and not running them is the safer habit.
    await runNpm(["ci", "--ignore-scripts"], root);
    writeFileSync(join(root, "node_modules", stampName), wanted);
  });
}
