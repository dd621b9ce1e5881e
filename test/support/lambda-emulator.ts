/**
 * One function as Lambda runs it: its package unpacked, a process with a runtime client, and the Runtime API that the client
 * asks. One event at a time; whoever is not done in time is killed, and the next event starts a new process. What is not
 * here: limits of memory, freezing between events, and limits of size.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { build } from "esbuild";
import { bundleFunction } from "../../infra/lambda/bundle.ts";

const OUR_CLIENT = join(import.meta.dirname, "lambda-runtime/main.ts");

/** Without its types before it is started: taking them out is most of what a start would take. */
async function ourClient(folder: string): Promise<readonly string[]> {
  const outfile = join(folder, "client.mjs");
  await build({ entryPoints: [OUR_CLIENT], outfile, format: "esm", target: "node24" });
  return [outfile];
}

export interface LambdaOptions {
  readonly name: string;
  readonly env: Readonly<Record<string, string>>;
  /** Arguments for Node that start a runtime client; absent = our own. */
  readonly client?: readonly string[];
  /** As serverless.yml says. */
  readonly timeoutMs?: number;
  readonly onLine?: (line: string) => void;
  /** For who measures: what starts the process, flags of Node, and the process. */
  readonly wrap?: { readonly program: string; readonly args: readonly string[] };
  readonly flags?: readonly string[];
  readonly onStart?: (child: ChildProcess) => void;
}

export type Invoked =
  | { readonly ok: true; readonly answer: unknown }
  | { readonly ok: false; readonly error: string };

export interface Lambda {
  invoke(event: unknown): Promise<Invoked>;
  end(): void;
}

interface Job {
  readonly id: string;
  readonly event: string;
  readonly done: (invoked: Invoked) => void;
}

export async function startLambda(options: LambdaOptions): Promise<Lambda> {
  const { name, env, timeoutMs = 29_000, onLine, flags = [], wrap } = options;
  const folder = mkdtempSync(join(tmpdir(), `ordinal-lambda-${name}-`));
  for (const [path, content] of (await bundleFunction(name)).files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  const client = options.client ?? (await ourClient(folder));
  const waiting: Job[] = [];
  let current: (Job & { readonly timer: NodeJS.Timeout }) | null = null;
  let asking: ServerResponse | null = null;
  let child: ChildProcess | null = null;

  function finish(invoked: Invoked): void {
    clearTimeout(current?.timer);
    current?.done(invoked);
    current = null;
  }

  function hand(): void {
    if (waiting.length > 0 && child === null) child = start();
    const job = asking === null || current !== null ? undefined : waiting.shift();
    if (job === undefined || asking === null) return;
    const timer = setTimeout(() => {
      child?.kill("SIGKILL");
      finish({ ok: false, error: `Task timed out after ${timeoutMs} ms` });
    }, timeoutMs);
    current = { ...job, timer };
    const headers = {
      "content-type": "application/json",
      "lambda-runtime-aws-request-id": job.id,
      "lambda-runtime-deadline-ms": String(Date.now() + timeoutMs),
      "lambda-runtime-invoked-function-arn": `arn:aws:lambda:eu-central-1:123456789012:function:${name}`,
    };
    asking.writeHead(200, headers).end(job.event);
    asking = null;
  }

  async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (incoming.url ?? "").replace("/2018-06-01/runtime/", "");
    if (path === "invocation/next") {
      asking = response;
      return hand();
    }
    const body: unknown = JSON.parse((await text(incoming)) || "null");
    response.writeHead(202).end();
    if (path.endsWith("/response")) finish({ ok: true, answer: body });
    else if (path === "init/error") for (const job of waiting.splice(0)) job.done(errorOf(body));
    else finish(errorOf(body));
  }

  const api = createServer((incoming, response) => void serve(incoming, response));
  await new Promise<void>((resolve) => api.listen(0, "127.0.0.1", resolve));

  function start(): ChildProcess {
    const node = [process.execPath, ...flags, ...client];
    const [program = "", ...args] = wrap === undefined ? node : [wrap.program, ...wrap.args, ...node];
    const started = spawn(program, args, {
      // As on Lambda nothing else is in the environment.
      env: {
        ...{ PATH: process.env["PATH"], HOME: folder, _HANDLER: "index.handler", LAMBDA_TASK_ROOT: folder },
        AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${(api.address() as AddressInfo).port}`,
        ...{ AWS_LAMBDA_FUNCTION_NAME: name, AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "256" },
        AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
        AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${name}`,
        ...{ AWS_LAMBDA_LOG_STREAM_NAME: "test", ...env },
      },
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [started.stdout, started.stderr])
      stream.setEncoding("utf8").on("data", (lines: string) => onLine?.(lines));
    const kill = () => void started.kill("SIGKILL");
    process.once("exit", kill);
    options.onStart?.(started);
    started.once("exit", () => {
      process.off("exit", kill);
      child = null;
      asking = null;
      if (current !== null) finish({ ok: false, error: "Runtime exited" });
      hand();
    });
    return started;
  }

  return {
    invoke: (event) =>
      new Promise((done) => {
        waiting.push({ id: randomUUID(), event: JSON.stringify(event), done });
        hand();
      }),
    end() {
      waiting.splice(0);
      child?.kill("SIGKILL");
      api.closeAllConnections();
      api.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function errorOf(body: unknown): Invoked {
  const { errorMessage = "no message" } = (body ?? {}) as { readonly errorMessage?: string };
  return { ok: false, error: errorMessage };
}
