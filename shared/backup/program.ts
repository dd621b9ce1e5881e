/**
 * What another program prints, as a stream that ends well only if the program did: exit code 0, and its own end
 * mark as the last thing that it said. A dump that was cut off looks like a dump until somebody needs its end.
 * Programs get a list of arguments and never a shell; passwords go by file or environment.
 */
import { spawn } from "node:child_process";
import { BrokenStream } from "../model/broken-stream.ts";
import type { Bytes } from "./flow.ts";

export interface ProgramWish {
  readonly program: string;
  readonly args: readonly string[];
  /** The whole of it: nothing of our own environment is passed on. */
  readonly env: Readonly<Record<string, string>>;
  /** Must be in the last bytes that it prints; null for a program that has none. */
  readonly endMark: string | null;
}

const TAIL_BYTES = 1024;
const COMPLAINT_CHARS_MAX = 400;

/** Throws `BrokenStream`; leaves no process behind when it is left early. */
export async function* outputOf({ program, args, env, endMark }: ProgramWish): Bytes {
  const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint = (complaint + text).slice(-COMPLAINT_CHARS_MAX);
  });
  const ended = new Promise<string | null>((resolve) => {
    child.once("error", (error) => resolve(`could not be started (${error.message})`));
    child.once("close", (code, signal) => resolve(code === 0 ? null : `ended with ${code ?? signal}`));
  });
  let tail = Buffer.alloc(0);
  try {
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      tail = Buffer.concat([tail, chunk.subarray(-TAIL_BYTES)]).subarray(-TAIL_BYTES);
      yield chunk;
    }
    const fate = await ended;
    const said = complaint.trim().replace(/\s+/g, " ");
    if (fate !== null) throw broken(`${program} ${fate}${said === "" ? "" : `: ${said}`}`);
    if (endMark !== null && !tail.includes(endMark)) {
      throw broken(`${program} ended without saying that its output is complete`);
    }
  } finally {
    child.kill("SIGKILL");
  }
}

/** Most often the server went away: the next attempt may find it, or another one. */
const broken = (message: string) => new BrokenStream({ kind: "transient", message });
