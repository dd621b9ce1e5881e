/** The way to a server by `kubectl port-forward`, with a kubectl that does what a test says. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server as TcpServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { forwardedServers } from "../../../shared/cli/forward.ts";
import type { ConnectOptions } from "../../../shared/ports/server.ts";

const SECRET = "a-password-of-the-user";
const TO: ConnectOptions = {
  host: "mysql-1",
  port: 3306,
  credentials: { username: "root", password: SECRET },
  authority: null,
  ...{ connectTimeoutMs: 1_000, queryTimeoutMs: 1_000 },
  attributes: { program_name: "test", cluster: "shop/mysql" },
};

let folder = "";
let path: string | undefined;
let listening: TcpServer | null = null;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ordinal-forward-"));
  path = process.env["PATH"];
  process.env["PATH"] = [folder, dirname(process.execPath)].join(delimiter);
});
afterEach(() => {
  process.env["PATH"] = path;
  listening?.close();
  rmSync(folder, { recursive: true });
});

const file = (name: string): string => join(folder, name);

function kubectl(script: string): void {
  writeFileSync(file("kubectl"), `#!${process.execPath}\n${script}\n`);
  chmodSync(file("kubectl"), 0o755);
}

/** Somebody who greets nobody: he is reached, and no more. */
function listen(): Promise<{ readonly port: number; readonly reached: () => number }> {
  let reached = 0;
  const server = createServer((socket) => {
    reached += 1;
    socket.destroy();
  });
  listening = server;
  return new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve({ port: typeof address === "object" && address ? address.port : 0, reached: () => reached });
    }),
  );
}

test("leads to the pod of the cluster's namespace, by one process for each, which ends with it", async () => {
  const { port, reached } = await listen();
  kubectl(`
    const fs = require("node:fs");
    fs.appendFileSync(${JSON.stringify(file("asked"))}, process.argv.slice(2).join(" ") + "\\n");
    process.on("SIGTERM", () => { fs.writeFileSync(${JSON.stringify(file("ended"))}, ""); process.exit(0); });
    console.log("Forwarding from 127.0.0.1:${port} -> 3306");
    setInterval(() => {}, 1000);`);
  const servers = forwardedServers({ kubeconfig: "/a/config", context: "staging" });
  for (const times of [1, 2]) {
    const answer = await servers.connect(TO);
    expect(answer).toMatchObject({ ok: false, failure: { kind: "transient" } });
    expect(reached()).toBe(times);
  }
  const asked = readFileSync(file("asked"), "utf8");
  expect(asked).toBe(
    "port-forward pod/mysql-1 :3306 --namespace shop --address 127.0.0.1 --kubeconfig /a/config --context staging\n",
  );
  expect(asked).not.toContain(SECRET);
  servers.close();
  for (let tries = 0; tries < 50 && !existsSync(file("ended")); tries += 1) await sleep(50);
  expect(existsSync(file("ended"))).toBe(true);
});

test("that is refused is answered with what kubectl said", async () => {
  kubectl(`console.error("error: pods is forbidden"); process.exit(1);`);
  const servers = forwardedServers({});
  expect(await servers.connect(TO)).toEqual({
    ok: false,
    failure: { kind: "transient", message: "kubectl port-forward: error: pods is forbidden" },
  });
  servers.close();
});

test("without a kubectl says so", async () => {
  const servers = forwardedServers({});
  const answer = await servers.connect(TO);
  expect(answer.ok ? "" : answer.failure.message).toMatch(/^kubectl cannot be run: /);
  servers.close();
});
