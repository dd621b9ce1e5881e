/**
 * The programs of a cluster as a table's rows: what to run, how to tell that it answers.
 *
 * A component is started inside the namespaces, outlives `up`, and prints to a file of its own.
 * It is never restarted by us: a part that a test has killed stays dead until the next `up`.
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { basename, join } from "node:path";
import * as z from "zod";
import type { Instance } from "./instance.ts";
import { inside } from "./namespaces.ts";
import {
  eventually,
  identityOf,
  isAlive,
  LocalError,
  lastLines,
  type ProcessIdentity,
  resume,
  startDetached,
} from "./process.ts";

export type Component = {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** True once it does its work; asked again and again while it starts. */
  readonly answers: () => Promise<boolean>;
};

const startTimeoutMs = 60_000;

export function logFolder(folder: string): string {
  return join(folder, "logs");
}

export async function startComponent(init: number, instance: Instance, part: Component): Promise<void> {
  const logFile = join(logFolder(instance.folder), `${part.name}.log`);
  mkdirSync(logFolder(instance.folder), { recursive: true });
  mkdirSync(join(instance.folder, "pids"), { recursive: true });
  const nsenter = startDetached("nsenter", inside(init, part.program, part.args), logFile, part.env);
  const identity = identityOf(await childOf(nsenter));
  if (identity !== undefined) {
    writeFileSync(pidFile(instance.folder, part.name), JSON.stringify(identity));
  }
  let died = false;
  const answered = await eventually(
    async () => {
      if (await part.answers()) return true;
      died = identity === undefined || !isAlive(identity);
      return died;
    },
    startTimeoutMs,
    100,
  );
  if (answered && !died) return;
  const said = lastLines(readFileSync(logFile, "utf8"), 8);
  const fate = died ? "ended while it started" : "did not answer in time";
  throw new LocalError(`${part.name} ${fate}; the end of ${logFile}:\n${said}`);
}

/** nsenter stays as the parent of the program it has started; what we want to know of is that one. */
async function childOf(parent: number): Promise<number> {
  let child = Number.NaN;
  await eventually(
    async () => {
      try {
        child = Number.parseInt(readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8"), 10);
      } catch {
        return true;
      }
      return !Number.isNaN(child);
    },
    2000,
    5,
  );
  return Number.isNaN(child) ? parent : child;
}

const identitySchema = z.object({ pid: z.number(), startTime: z.string(), boot: z.string() });

/** The recorded process of a component, if that very process still lives. */
export function livingComponent(folder: string, name: string): ProcessIdentity | undefined {
  try {
    const parsed = identitySchema.parse(JSON.parse(readFileSync(pidFile(folder, name), "utf8")));
    return isAlive(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** Those that were stopped and never let go on again could not end. */
export function resumeComponents(folder: string): void {
  const records = join(folder, "pids");
  if (!existsSync(records)) return;
  for (const file of readdirSync(records)) {
    const living = livingComponent(folder, basename(file, ".json"));
    if (living !== undefined) resume(living.pid);
  }
}

function pidFile(folder: string, name: string): string {
  return join(folder, "pids", `${name}.json`);
}

/** True if something accepts connections there; a refusal or silence is a no. */
export function isListening(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 500 });
    const settle = (outcome: boolean) => {
      socket.destroy();
      resolve(outcome);
    };
    socket.once("connect", () => settle(true));
    socket.once("error", () => settle(false));
    socket.once("timeout", () => settle(false));
  });
}
