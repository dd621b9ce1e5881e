/**
 * Other programs: what one prints as a stream that ends well only if the program did, with exit code 0 and its own end
 * mark as the last thing that it said (a dump that was cut off looks like a dump until somebody needs its end), and what
 * one is fed. Programs get a list of arguments and never a shell; passwords go by file or environment.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { BrokenStream } from "../model/broken-stream.ts";
import { type Bytes, unusable } from "./flow.ts";

export interface Program {
  readonly program: string;
  readonly args: readonly string[];
  /** The whole of it: nothing of our own environment is passed on. */
  readonly env: Readonly<Record<string, string>>;
}

export interface ProgramWish extends Program {
  /** Must be in the last bytes that it prints; null for a program that has none. */
  readonly endMark: string | null;
}

const TAIL_BYTES = 1024;
const COMPLAINT_CHARS_MAX = 4_000;
const SAID_CHARS_MAX = 400;

export interface Running {
  readonly child: ChildProcess;
  /** Resolves when it has ended: null for exit code 0, else how it ended and what it said, as a sentence without its dot. */
  readonly fate: Promise<string | null>;
}

/** Ours to end. What it prints is thrown away unless `prints`, what it is fed is nothing unless `reads`. */
export function launch(
  { program, args, env }: Program,
  pipes: { readonly prints?: boolean; readonly reads?: boolean } = {},
): Running {
  const [input, output] = [pipes.reads, pipes.prints].map((piped) => (piped ? "pipe" : "ignore"));
  const child = spawn(program, args, { env, stdio: [input ?? "ignore", output ?? "ignore", "pipe"] });
  let complaint = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    complaint = (complaint + text).slice(-COMPLAINT_CHARS_MAX);
  });
  const fate = new Promise<string | null>((resolve) => {
    child.once("error", (error) => resolve(`${program} could not be started (${error.message})`));
    child.once("close", (code, signal) => {
      const said = worst(complaint);
      const ended = `${program} ended with ${code ?? signal}`;
      resolve(code === 0 ? null : said === "" ? ended : `${ended}: ${said}`);
    });
  });
  return { child, fate };
}

/** A server tells of much, and of its first error what matters. */
function worst(complaint: string): string {
  const error = complaint.split("\n").find((line) => line.includes("[ERROR]"));
  const said = (error ?? complaint).trim().replace(/\s+/g, " ");
  return error === undefined ? said.slice(-SAID_CHARS_MAX) : said.slice(0, SAID_CHARS_MAX);
}

/** Throws `BrokenStream`; leaves no process behind when it is left early. */
export async function* outputOf({ endMark, ...wish }: ProgramWish): Bytes {
  const { child, fate } = launch(wish, { prints: true });
  let tail = Buffer.alloc(0);
  try {
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      tail = Buffer.concat([tail, chunk.subarray(-TAIL_BYTES)]).subarray(-TAIL_BYTES);
      yield chunk;
    }
    const ended = await fate;
    if (ended !== null) throw broken(ended);
    if (endMark !== null && !tail.includes(endMark)) {
      throw broken(`${wish.program} ended without saying that its output is complete`);
    }
  } finally {
    child.kill("SIGKILL");
  }
}

/** Most often the server went away: the next attempt may find it, or another one. */
const broken = (message: string) => new BrokenStream({ kind: "transient", message });

/** Throws `BrokenStream`, `refused` when the program did not take all of it. */
export async function feed(wish: Program, source: Bytes): Promise<void> {
  const { child, fate } = launch(wish, { reads: true });
  const { stdin } = child;
  // Whoever ends early says why with its end, and not with a pipe that breaks.
  stdin?.on("error", () => undefined);
  try {
    for await (const chunk of source) {
      // Its memory may be used again once this is through.
      const taken = new Promise<void>((resolve) => stdin?.write(chunk, () => resolve()));
      await Promise.race([taken, fate]);
      if (stdin?.writable !== true) break;
    }
    stdin?.end();
    const ended = await fate;
    if (ended !== null) throw unusable(ended);
  } finally {
    child.kill("SIGKILL");
  }
}

/** To its end. Throws `BrokenStream`. */
export async function runToEnd(wish: Program): Promise<void> {
  const { child, fate } = launch(wish);
  try {
    const ended = await fate;
    if (ended !== null) throw broken(ended);
  } finally {
    child.kill("SIGKILL");
  }
}
