/**
 * The few questions that `up` and `status` ask the API server, with the admin's certificate.
 *
 * No client library: the local cluster must come up before anything is installed. Never used by
 * the product, which has an adapter of its own.
 */

import { readFileSync } from "node:fs";
import { request } from "node:https";
import type { Instance } from "./instance.ts";
import { pkiFile } from "./pki.ts";

export type ApiAnswer = { readonly code: number; readonly body: string };

export function askApi(instance: Instance, path: string): Promise<ApiAnswer> {
  return new Promise((resolve) => {
    const nobody = { code: 0, body: "" };
    const call = request(
      {
        host: instance.nodeAddress,
        port: 6443,
        path,
        agent: false,
        timeout: 2000,
        ca: readFileSync(pkiFile(instance, "ca.crt")),
        cert: readFileSync(pkiFile(instance, "admin.crt")),
        key: readFileSync(pkiFile(instance, "admin.key")),
        headers: { "user-agent": "ordinal-local" },
      },
      (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (text: string) => {
          body += text;
        });
        response.on("end", () => resolve({ code: response.statusCode ?? 0, body }));
        response.on("error", () => resolve(nobody));
      },
    );
    call.on("timeout", () => call.destroy());
    call.on("error", () => resolve(nobody));
    call.end();
  });
}

export async function apiIsReady(instance: Instance): Promise<boolean> {
  return (await askApi(instance, "/readyz")).code === 200;
}
