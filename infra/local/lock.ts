/**
 * Locks between processes that die with their holder.
 *
 * The kernel keeps the lock for a `flock` child that reads our end of a pipe: when this process
 * ends in any way, the pipe closes, the child ends and the lock is free. A lock file that stays
 * behind means nothing; it is never removed, because removing it would let two holders in.
 */

import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { LocalError } from "./process.ts";

export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(file), { recursive: true });
  const release = await acquire(file);
  try {
    return await work();
  } finally {
    await release();
  }
}

function acquire(file: string): Promise<() => Promise<void>> {
  return new Promise((resolve, reject) => {
    const holder = spawn("flock", ["--exclusive", file, "cat"], {
      stdio: ["pipe", "pipe", "ignore"],
      // Its own session, so that an interrupt at the terminal lets us clean up under the lock.
      detached: true,
    });
    const ended = new Promise<void>((done) => holder.on("close", () => done()));
    holder.on("error", (cause) => {
      reject(new LocalError("flock (package util-linux) is missing", 2, { cause }));
    });
    void ended.then(() => reject(new LocalError(`the lock ${file} could not be taken`)));
    holder.stdout.once("data", () => {
      resolve(() => {
        holder.stdin.end();
        return ended;
      });
    });
    // `cat` gives the line back only once flock has the lock and has started it.
    holder.stdin.write("held\n");
  });
}
