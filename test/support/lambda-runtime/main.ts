/**
 * A runtime client as small as can be: asks the Runtime API for an event, calls the handler, hands over what it answered. Tests
 * that have AWS's own client use that; this one starts at once and needs no compiler.
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const { AWS_LAMBDA_RUNTIME_API: api, LAMBDA_TASK_ROOT: folder = "", _HANDLER: handler = "" } = process.env;
const [module = "", name = ""] = handler.split(".");

const send = (path: string, value: unknown) =>
  fetch(`http://${api}/2018-06-01/runtime/${path}`, { method: "POST", body: JSON.stringify(value ?? null) });

function errorOf(error: unknown): Readonly<Record<string, unknown>> {
  const { name: errorType, message: errorMessage } =
    error instanceof Error ? error : new Error(String(error));
  return { errorType, errorMessage };
}

type Handler = (event: unknown, context: { getRemainingTimeInMillis(): number }) => Promise<unknown>;

try {
  const url = pathToFileURL(join(folder, `${module}.mjs`)).href;
  const { [name]: call } = (await import(/* @vite-ignore */ url)) as Readonly<Record<string, Handler>>;
  if (call === undefined) throw new Error(`${module} has no ${name}`);
  for (;;) {
    const next = await fetch(`http://${api}/2018-06-01/runtime/invocation/next`);
    const id = next.headers.get("lambda-runtime-aws-request-id");
    const deadline = Number(next.headers.get("lambda-runtime-deadline-ms"));
    const context = { getRemainingTimeInMillis: () => deadline - Date.now() };
    try {
      await send(`invocation/${id}/response`, await call(await next.json(), context));
    } catch (error) {
      await send(`invocation/${id}/error`, errorOf(error));
    }
  }
} catch (error) {
  await send("init/error", errorOf(error));
  process.exitCode = 1;
}
