/**
 * The command line of the resident host: `node shared/hosts/local/main.ts --namespace shop`. Options and
 * signals only; docs/events.md lists the options.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import * as z from "zod";
import { SECRET } from "../signature.ts";
import { readTelemetrySettings } from "../telemetry/settings.ts";
import { loadFunctions, SOURCE_FOLDER, selectFunctions } from "./function-folder.ts";
import { type HttpServerOptions, isLoopback } from "./http-server.ts";
import { createLog } from "./platform.ts";
import { type LocalHostOptions, startLocalHost } from "./start.ts";

const optionsSchema = z
  .object({
    namespace: z.array(z.string().min(1)).default([]),
    kubeconfig: z.string().optional(),
    context: z.string().optional(),
    log: z.enum(["json", "text"]).default("text"),
    "sweep-seconds": z.coerce
      .number()
      .int()
      .min(1)
      .max(60)
      .refine((seconds) => 60 % seconds === 0, "must divide a minute")
      .default(1),
    "look-seconds": z.coerce.number().int().min(1).max(86_400).optional(),
    concurrency: z.coerce.number().int().min(1).max(100).default(8),
    functions: z.string().default(SOURCE_FOLDER),
    only: z.array(z.string().min(1)).default([]),
    requests: z.enum(["on", "off"]).default("on"),
    sensor: z.enum(["on", "off"]).default("on"),
    sources: z.enum(["watch", "http"]).default("watch"),
    "job-image": z
      .string()
      .regex(/^[a-z0-9][\w.:/@-]{0,511}$/, "must name an image")
      .optional(),
    "http-port": z.coerce.number().int().min(1).max(65_535).optional(),
    "http-address": z.string().min(1).default("127.0.0.1"),
    "tls-cert": z.string().optional(),
    "tls-key": z.string().optional(),
    "forward-to": z.url({ protocol: /^https?$/ }).optional(),
    "forward-secret-file": z.string().min(1).optional(),
    "stop-seconds": z.coerce.number().int().min(1).max(600).default(5),
    "event-audience": z.string().min(1).max(512).optional(),
  })
  .refine((given) => (given["tls-cert"] === undefined) === (given["tls-key"] === undefined), {
    path: ["tls-cert"],
    message: "needs --tls-key, and --tls-key needs it",
  })
  .refine((given) => (given["forward-to"] === undefined) === (given["forward-secret-file"] === undefined), {
    path: ["forward-to"],
    message: "needs --forward-secret-file, and --forward-secret-file needs it",
  });
type Options = z.infer<typeof optionsSchema>;

const text = { type: "string" } as const;

function readOptions(): Options | string {
  try {
    const { values } = parseArgs({
      options: {
        namespace: { type: "string", multiple: true },
        kubeconfig: text,
        context: text,
        log: text,
        "sweep-seconds": text,
        "look-seconds": text,
        concurrency: text,
        functions: text,
        only: { type: "string", multiple: true },
        requests: text,
        sensor: text,
        sources: text,
        "job-image": text,
        "http-port": text,
        "http-address": text,
        "tls-cert": text,
        "tls-key": text,
        "forward-to": text,
        "forward-secret-file": text,
        "stop-seconds": text,
        "event-audience": text,
      },
    });
    // Whoever runs containers by Knative's contract says so where it sends to.
    const port = values.sources === "http" ? process.env["PORT"] : undefined;
    const parsed = optionsSchema.safeParse({ ...(port !== undefined && { "http-port": port }), ...values });
    if (parsed.success) return parsed.data;
    return parsed.error.issues.map(({ path, message }) => `--${path.join(".")}: ${message}`).join("\n");
  } catch (error) {
    // parseArgs reports wrong use by throwing.
    return error instanceof Error ? error.message : String(error);
  }
}

function httpOf({ "http-port": port, "http-address": address, ...rest }: Options): HttpServerOptions | null {
  const { "tls-cert": cert, "tls-key": key } = rest;
  if (port === undefined) return null;
  return { port, address, tls: cert === undefined || key === undefined ? null : { cert, key } };
}

/** The secret is read from a file, since arguments can be seen by everybody on the machine. */
function forwardOf({ "forward-to": to, "forward-secret-file": file }: Options): LocalHostOptions["forward"] {
  if (to === undefined || file === undefined) return undefined;
  const url = new URL(to);
  if (url.protocol !== "https:" && !isLoopback(url.hostname)) {
    throw new Error(`--forward-to ${url.origin} needs https: without it only loopback is sent to`);
  }
  const secret = SECRET.safeParse(readFileSync(file, "utf8"));
  if (secret.success) return { url, secret: secret.data };
  throw new Error(`${file}: ${secret.error.issues[0]?.message ?? "is no secret"}`);
}

async function main(options: Options): Promise<void> {
  const { namespace: namespaces, kubeconfig, context, concurrency } = options;
  const log = createLog(options.log);
  const http = httpOf(options);
  const forward = forwardOf(options);
  // Each look of another's is an invocation; its own ticks look as well.
  const lookSeconds = options["look-seconds"] ?? (forward === undefined ? 10 : 60);
  const all = await loadFunctions(options.functions);
  const telemetry = readTelemetrySettings(process.env);
  const host = await startLocalHost({
    namespaces,
    ...(http === null ? {} : { http }),
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    ...(context === undefined ? {} : { context }),
    sweepSeconds: options["sweep-seconds"],
    ...(forward === undefined ? {} : { forward }),
    lookEveryMs: lookSeconds * 1000,
    concurrency,
    sensor: options.sensor === "on",
    sources: options.sources,
    ...(options["job-image"] === undefined ? {} : { jobImage: options["job-image"] }),
    ...(options["event-audience"] === undefined ? {} : { eventAudience: options["event-audience"] }),
    // In the environment, since an address may hold a secret; Knative's SinkBinding puts it there.
    ...(process.env["K_SINK"] === undefined ? {} : { sink: process.env["K_SINK"] }),
    ...(telemetry === null ? {} : { telemetry }),
    stopGraceMs: options["stop-seconds"] * 1000,
    functions: selectFunctions(options.requests === "on" ? all : { ...all, requests: [] }, options.only),
    log,
  });
  let stopping = false;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      // A second signal does not wait for anything.
      if (stopping) process.exit(1);
      stopping = true;
      log.info("stopping", { signal });
      // Waits that are still under way would keep the process alive for nothing.
      void host.stop().finally(() => process.exit(0));
    });
  }
}

const options = readOptions();
if (typeof options === "string") {
  process.stderr.write(`${options}\n`);
  process.exitCode = 2;
} else {
  // Whatever is wrong at the start is for whoever started it to put right.
  await main(options).catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 2;
  });
}
