/**
 * The resident host in a process of its own, as a user runs it, with the lines of its log as they come: it can
 * be killed and stopped like any process, and its times are not those of whoever measures.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import * as z from "zod";

const HOST = join(import.meta.dirname, "../../shared/hosts/local/main.ts");

const lineSchema = z.looseObject({
  at: z.iso.datetime(),
  message: z.string(),
  step: z.string().optional(),
  cause: z.string().optional(),
  outcome: z.string().optional(),
  tookMs: z.number().optional(),
  why: z.string().nullish(),
  reason: z.string().optional(),
});

export type HostLine = z.infer<typeof lineSchema>;

export interface HostOptions {
  readonly namespace: string;
  readonly kubeconfig: string;
  readonly sensor?: boolean;
  /** Ordinal's image, for Jobs; absent = it makes none. */
  readonly jobImage?: string;
  readonly onLine?: (line: HostLine) => void;
}

export interface HostProcess {
  readonly lines: readonly HostLine[];
  signal(name: "SIGKILL" | "SIGSTOP" | "SIGCONT"): void;
  alive(): boolean;
  /** Kills it and waits until it is gone; it keeps nothing that this would lose. */
  end(): Promise<void>;
}

/** A host that outlives whoever started it would go on looking at clusters. */
function endWithUs(child: ChildProcess): void {
  const kill = () => void child.kill("SIGKILL");
  process.once("exit", kill);
  child.once("exit", () => process.off("exit", kill));
}

export function startHostProcess({
  namespace,
  kubeconfig,
  sensor,
  jobImage,
  onLine,
}: HostOptions): HostProcess {
  const args = [HOST, "--namespace", namespace, "--kubeconfig", kubeconfig, "--log", "json"];
  if (sensor !== undefined) args.push("--sensor", sensor ? "on" : "off");
  if (jobImage !== undefined) args.push("--job-image", jobImage);
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
  endWithUs(child);
  const lines: HostLine[] = [];
  createInterface({ input: child.stderr }).on("line", (text) => {
    // A runtime's own complaint is no line of the log, and it ends up in no check.
    if (!text.startsWith("{")) return;
    const line = lineSchema.parse(JSON.parse(text));
    lines.push(line);
    onLine?.(line);
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const alive = () => child.exitCode === null && child.signalCode === null;
  return {
    lines,
    alive,
    signal: (name) => void child.kill(name),
    async end() {
      if (alive()) child.kill("SIGKILL");
      await ended;
    },
  };
}
