/** An HTTP server on loopback that answers as a test says, and a kubeconfig that leads to it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { onTestFinished } from "vitest";
import type { KubeLimits } from "../../../shared/adapters/kube/client.ts";
import { createKube, type KubeHandle } from "../../../shared/adapters/kube/kube.ts";
import { wayOfKubeconfig } from "../../../shared/adapters/kube/kubeconfig.ts";

export interface Request {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  readonly body: unknown;
}

export interface FakeServer {
  readonly requests: readonly Request[];
  readonly warnings: readonly string[];
  readonly handle: KubeHandle;
  readonly kubeconfig: string;
  /** Milliseconds that the adapter's clock is ahead. */
  skipMs(ms: number): void;
}

type Answer = (request: Request, response: ServerResponse, number: number) => void;

export interface FakeOptions {
  readonly limits?: Partial<KubeLimits>;
  /** Path in front of the API, as some gateways have it. */
  readonly prefix?: string;
  readonly user?: Readonly<Record<string, unknown>>;
}

/** `answer` gets each request with its number, from 1. */
export async function startFake(answer: Answer, options: FakeOptions = {}): Promise<FakeServer> {
  const requests: Request[] = [];
  async function take(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(incoming.url ?? "", "http://fake");
    const body = await text(incoming);
    const { method = "", headers } = incoming;
    const { pathname: path, searchParams: query } = url;
    const request = { method, path, query, headers, body: body === "" ? null : JSON.parse(body) };
    requests.push(request);
    answer(request, response, requests.length);
  }
  const server = createServer((incoming, response) => {
    void take(incoming, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const folder = mkdtempSync(join(tmpdir(), "ordinal-unit-"));
  const kubeconfig = join(folder, "config");
  writeFileSync(kubeconfig, configText(port, options), { mode: 0o600 });

  let aheadMs = 0;
  const warnings: string[] = [];
  const handle = createKube({
    way: wayOfKubeconfig(kubeconfig),
    userAgent: "ordinal/unit",
    clock: { now: () => Date.now() + aheadMs, sleep: () => Promise.resolve() },
    ids: { password: () => "unused", fraction: () => 0 },
    log: {
      info: () => undefined,
      warn: (message, fields) => warnings.push(`${message} ${fields?.["reason"]}`),
    },
    limits: { backoffMinMs: 2, backoffMaxMs: 20, ...options.limits },
  });
  onTestFinished(() => {
    handle.close();
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });
  const skipMs = (ms: number): void => {
    aheadMs += ms;
  };
  return { requests, warnings, handle, kubeconfig, skipMs };
}

function configText(port: number, { prefix = "", user = { token: "sesame" } }: FakeOptions): string {
  const server = `http://127.0.0.1:${port}${prefix}`;
  return JSON.stringify({
    clusters: [{ name: "c", cluster: { server, "insecure-skip-tls-verify": true } }],
    users: [{ name: "u", user }],
    contexts: [
      { name: "here", context: { cluster: "c", user: "u", namespace: "shop" } },
      { name: "astray", context: { cluster: "nowhere", user: "u" } },
    ],
    "current-context": "here",
  });
}

export function answerJson(
  response: ServerResponse,
  code: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(code, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

export function secretJson(name: string, version: number, uid: string = `uid-${name}`): unknown {
  return { metadata: { namespace: "shop", name, uid, resourceVersion: String(version) } };
}

export function listJson(version: number, items: readonly unknown[], next?: string): unknown {
  return { metadata: { resourceVersion: String(version), ...(next && { continue: next }) }, items };
}
