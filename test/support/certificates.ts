/** An authority of our own and a server's certificate that it signs, made with openssl for one test run. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../infra/local/process.ts";

export interface ServerCertificate {
  /** What a client has to trust, PEM. */
  readonly authority: string;
  readonly certFile: string;
  readonly keyFile: string;
}

/** For loopback by its name, and for one address; the files are in `folder`. */
export async function makeServerCertificate(
  folder: string,
  address = "127.0.0.1",
): Promise<ServerCertificate> {
  const file = (name: string) => join(folder, name);
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  const authority = ["-x509", "-subj", "/CN=ordinal test authority", "-keyout", file("ca.key")];
  await run("openssl", ["req", ...authority, ...newKey, "-out", file("ca.crt")]);
  const signed = ["-x509", "-CA", file("ca.crt"), "-CAkey", file("ca.key"), "-subj", "/CN=localhost"];
  const names = ["-addext", `subjectAltName=DNS:localhost,IP:${address}`];
  const server = ["-keyout", file("server.key"), "-out", file("server.crt")];
  await run("openssl", ["req", ...signed, ...names, ...newKey, ...server]);
  return {
    authority: readFileSync(file("ca.crt"), "utf8"),
    certFile: file("server.crt"),
    keyFile: file("server.key"),
  };
}
