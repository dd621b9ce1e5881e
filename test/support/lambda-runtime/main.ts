/**
 * A runtime client as small as can be: asks the Runtime API for an event, calls the handler, hands over what it answered. Tests
 * that have AWS's own client use that; this one starts at once and needs no compiler.
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** Not by `import`, which would load a WebSocket client too: AWS's own client has none of it. */
const { request } = process.getBuiltinModule("node:http");
const { AWS_LAMBDA_RUNTIME_API: api, LAMBDA_TASK_ROOT: folder = "", _HANDLER: handler = "" } = process.env;
const [module = "", name = ""] = handler.split(".");

interface Reply {
  readonly text: string;
  header(name: string): string;
}

/** By `node:http`, since starting `fetch` would take longer than a function does. */
function call(method: "GET" | "POST", path: string, value?: unknown): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const outgoing = request(`http://${api}/2018-06-01/runtime/${path}`, { method }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      answer.once("end", () => resolve({ text, header: (name) => String(answer.headers[name]) }));
    });
    outgoing.once("error", reject).end(method === "GET" ? undefined : JSON.stringify(value ?? null));
  });
}

function errorOf(error: unknown): Readonly<Record<string, unknown>> {
  const { name: errorType, message: errorMessage } =
    error instanceof Error ? error : new Error(String(error));
  return { errorType, errorMessage };
}

type Handler = (event: unknown, context: { getRemainingTimeInMillis(): number }) => Promise<unknown>;

try {
  const url = pathToFileURL(join(folder, `${module}.mjs`)).href;
  const { [name]: handle } = (await import(/* @vite-ignore */ url)) as Readonly<Record<string, Handler>>;
  if (handle === undefined) throw new Error(`${module} has no ${name}`);
  for (;;) {
    const next = await call("GET", "invocation/next");
    const id = next.header("lambda-runtime-aws-request-id");
    const deadline = Number(next.header("lambda-runtime-deadline-ms"));
    const context = { getRemainingTimeInMillis: () => deadline - Date.now() };
    try {
      await call("POST", `invocation/${id}/response`, await handle(JSON.parse(next.text), context));
    } catch (error) {
      await call("POST", `invocation/${id}/error`, errorOf(error));
    }
  }
} catch (error) {
  await call("POST", "init/error", errorOf(error));
  process.exitCode = 1;
}
