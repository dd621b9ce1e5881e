/** When a client says that it has asked: whoever loads more by then must not keep a handshake waiting. */
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { createKubeClient } from "../../../shared/adapters/kube/client.ts";
import { wayOfToken } from "../../../shared/adapters/kube/token-way.ts";
import { createLog, systemClock, systemIds } from "../../../shared/hosts/local/platform.ts";
import { answerJson, secretJson } from "./fake-server.ts";

async function clientOf(scheme: string, server: Server, onSent: () => void) {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = new URL(`${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const client = createKubeClient({
    way: wayOfToken({ server: url, ca: "", namespace: "shop", token: () => Promise.resolve("sesame") }),
    ...{ userAgent: "ordinal/unit", clock: systemClock, ids: systemIds, log: createLog("text"), onSent },
    limits: { requestTimeoutMs: 500 },
  });
  onTestFinished(() => {
    client.close();
    server.close();
  });
  return client.kube.read("Secret", { namespace: "shop", name: "a" });
}

test("it is said while the answer is waited for", async () => {
  const { promise: sent, resolve } = Promise.withResolvers<void>();
  const server = createHttpServer((_, response) => {
    void sent.then(() => answerJson(response, 200, secretJson("a", 1)));
  });
  expect(await clientOf("http", server, resolve)).toMatchObject({ ok: true });
});

test("it is not said before the connection stands", async () => {
  let greeted = false;
  const server = createServer((socket) => {
    socket.once("data", () => {
      greeted = true;
    });
    onTestFinished(() => void socket.destroy());
  });
  let sent = 0;
  const read = await clientOf("https", server, () => {
    sent += 1;
  });
  expect([read.ok, greeted, sent]).toEqual([false, true, 0]);
});
