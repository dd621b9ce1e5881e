// The two things both install steps need: a lock between processes, and a quiet call of npm.
// A lock is a file holding its owner's process id; a lock whose owner is gone is taken over, so a killed
// install never blocks the next one.

import { spawn } from "node:child_process";
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const lockWaitMsMax = 15 * 60 * 1000;
const lockPollMs = 250;

export function cacheFolder() {
  const { ORDINAL_CACHE, XDG_CACHE_HOME } = process.env;
  return ORDINAL_CACHE || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "ordinal");
}

/** Creates the lock whole: a file that appears empty and is filled later could be mistaken for an abandoned one. */
function tryCreate(path) {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, String(process.pid));
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
    return false;
  } finally {
    rmSync(draft, { force: true });
  }
}

function ownerIsAlive(owner) {
  try {
    process.kill(owner, 0);
    return true;
  } catch (error) {
    return error.code !== "ESRCH";
  }
}

/** Moves an abandoned lock aside; if another process renewed it in between, its lock is put back. */
function removeAbandoned(path) {
  const aside = `${path}.${process.pid}.aside`;
  try {
    if (ownerIsAlive(Number(readFileSync(path, "utf8")))) return;
    renameSync(path, aside);
    if (ownerIsAlive(Number(readFileSync(aside, "utf8")))) linkSync(aside, path);
  } catch (error) {
    if (error.code !== "ENOENT" && error.code !== "EEXIST") throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

export async function withLock(name, work) {
  mkdirSync(cacheFolder(), { recursive: true });
  const path = join(cacheFolder(), `${name}.lock`);
  const giveUpAt = Date.now() + lockWaitMsMax;
  for (let waiting = false; !tryCreate(path); waiting = true) {
    if (!waiting) process.stderr.write("ordinal: waiting for another command's install\n");
    if (Date.now() > giveUpAt)
      throw new Error(`waited too long for ${path}; remove it if no install is running`);
    removeAbandoned(path);
    await sleep(lockPollMs);
  }
  try {
    await work();
  } finally {
    rmSync(path, { force: true });
  }
}

/** An install that outlives the command that wanted it would collide with the next command's. */
function stopWith(child) {
  const stop = (signal) => child.kill(signal);
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) process.on(signal, stop);
  child.on("exit", () => {
    for (const signal of signals) process.off(signal, stop);
  });
}

/** npm's own output is shown on standard error, and only its errors: its engine warnings are expected here. */
export function runNpm(args, cwd) {
  return new Promise((done, fail) => {
    const quiet = ["--loglevel=error", "--no-audit", "--no-fund", "--no-progress"];
    const child = spawn("npm", [...args, ...quiet], { cwd, stdio: ["ignore", 2, 2] });
    stopWith(child);
    child.on("error", fail);
    child.on("exit", (code, signal) =>
      code === 0 ? done() : fail(new Error(`npm ${args[0]} ended with ${code ?? signal}`)),
    );
  });
}
