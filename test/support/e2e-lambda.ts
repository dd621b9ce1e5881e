/**
 * The packages for Lambda as the only ones that make passes: each function under the emulator, an HTTP API in front of them,
 * a schedule, the gate of EKS before the API server, and the host that forwards what it watches.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import * as z from "zod";
import { localName } from "../../infra/images/ordinal/image.ts";
import { lambdaFunctions } from "../../infra/lambda/bundle.ts";
import { makeServerCertificate } from "./certificates.ts";
import type { Scene } from "./e2e.ts";
import type { Driver } from "./e2e-hosts.ts";
import { applyRights } from "./e2e-requests.ts";
import { type Behind, type EksGate, openGate, passOn } from "./eks-gate.ts";
import { type Lambda, startLambda } from "./lambda-emulator.ts";
import { httpEvent, tickEvents } from "./lambda-payloads.ts";

const SECRET = "a secret that only this test and its functions know";
/** As serverless.yml has it. */
const TICK_MS = 60_000;
const NOT_FOUND = { statusCode: 404, headers: {}, body: "" };

const kubeconfigSchema = z.object({
  clusters: z.tuple([
    z.object({ cluster: z.object({ server: z.url(), "certificate-authority-data": z.base64() }) }),
  ]),
  users: z.tuple([z.object({ user: z.object({ token: z.string() }) })]),
});
const answerSchema = z.object({
  statusCode: z.number(),
  headers: z.record(z.string(), z.string()),
  body: z.string(),
});

function behind(kubeconfig: string): Behind {
  const { clusters, users } = kubeconfigSchema.parse(JSON.parse(readFileSync(kubeconfig, "utf8")));
  const { server, "certificate-authority-data": data } = clusters[0].cluster;
  return {
    ...{ server: new URL(server), token: users[0].user.token },
    ca: Buffer.from(data, "base64").toString("utf8"),
  };
}

/** Every path of serverless.yml that events take, with the function's name at its end. */
async function answer(
  functions: ReadonlyMap<string, Lambda>,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { url: path = "", method = "" } = incoming;
  const headers = Object.fromEntries(
    Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]),
  );
  const body = (await buffer(incoming)).toString("utf8");
  const fn = functions.get(/^\/events\/([a-z-]+)$/.exec(path)?.[1] ?? "");
  const invoked = await fn?.invoke(httpEvent({ method, path, headers, body, base64: true }));
  // What an HTTP API says of a function that failed.
  const failed = { statusCode: 500, headers: {}, body: '{"message":"Internal Server Error"}' };
  const given = invoked?.ok === true ? answerSchema.parse(invoked.answer) : failed;
  const { statusCode, headers: named, body: text } = fn === undefined ? NOT_FOUND : given;
  response.writeHead(statusCode, named).end(text);
}

export const lambda: Driver = {
  name: "lambda",
  async start(scene) {
    await applyRights(scene, ["backups"]);
    const folder = mkdtempSync(join(tmpdir(), "ordinal-e2e-lambda-"));
    const gate = await openGate(await makeServerCertificate(folder), passOn(behind(scene.kubeconfig)));
    const functions = await startAll(scene, gate);
    const api = createServer((incoming, response) => void answer(functions, incoming, response));
    await new Promise<void>((resolve) => api.listen(0, "127.0.0.1", resolve));
    const timer = startTicks(functions);
    const url = new URL(`http://127.0.0.1:${(api.address() as AddressInfo).port}`);
    const forwarder = await scene.host({
      ...{ forward: { url, secret: SECRET }, lookEveryMs: TICK_MS, jobImage: localName },
    });
    return {
      async stop() {
        await forwarder.stop();
        clearInterval(timer);
        api.closeAllConnections();
        api.close();
        for (const one of functions.values()) one.end();
        gate.close();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  },
};

async function startAll(scene: Scene, gate: EksGate): Promise<ReadonlyMap<string, Lambda>> {
  const env = {
    ...gate.env,
    ...{ ORDINAL_FORWARD_SECRET: SECRET, ORDINAL_JOB_IMAGE: localName },
    ORDINAL_NAMESPACES: scene.ref.namespace,
  };
  const onLine = (line: string) => void scene.lines.push(line);
  const started = lambdaFunctions().map(
    async (name) => [name, await startLambda({ name, env, onLine })] as const,
  );
  return new Map(await Promise.all(started));
}

/** In another form each time. */
function startTicks(functions: ReadonlyMap<string, Lambda>): NodeJS.Timeout {
  let ticks = 0;
  return setInterval(() => {
    for (const name of ["sweep", "backup-cron"]) {
      const forms = Object.values(tickEvents(`dev.ordinal.${name}`));
      void functions.get(name)?.invoke(forms[ticks % forms.length]);
    }
    ticks += 1;
  }, TICK_MS);
}
