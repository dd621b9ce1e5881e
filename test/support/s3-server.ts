/**
 * The S3 server of the local cluster, alone: over TLS, on loopback, over a folder of its own. It needs neither a
 * cluster nor root, only the program, which Go builds once and the cache keeps.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildS3Server } from "../../infra/local/build.ts";
import { isListening } from "../../infra/local/components.ts";
import { findProgram } from "../../infra/local/packages.ts";
import { eventually } from "../../infra/local/process.ts";
import type { Store } from "../../shared/model/store.ts";
import { makeServerCertificate, type ServerCertificate } from "./certificates.ts";
import { freePort } from "./free-port.ts";

export interface S3Server {
  readonly store: Store;
  readonly certificate: ServerCertificate;
  /** Where the objects are files. */
  readonly objects: string;
  close(): Promise<void>;
}

/** Why it cannot be started here, or null. */
export function whyNoS3Server(): string | null {
  if (findProgram("openssl") === undefined) return "openssl is missing";
  if (findProgram("go") === undefined) return "Go is missing, which builds the S3 server";
  return null;
}

export interface S3ServerOptions {
  /** A folder that is there, e.g. a small volume. */
  readonly objects?: string;
}

export async function startS3Server(options: S3ServerOptions = {}): Promise<S3Server> {
  const program = await buildS3Server((_, work) => work());
  const folder = mkdtempSync(join(tmpdir(), "ordinal-s3-"));
  const objects = options.objects ?? join(folder, "objects");
  mkdirSync(join(objects, "backups"), { recursive: true });
  const certificate = await makeServerCertificate(folder);
  const port = await freePort();
  const key = { accessKeyId: "ordinal-test", secretAccessKey: randomBytes(20).toString("hex") };
  const args = [`--port=127.0.0.1:${port}`, "--region=eu-test-1", "--keep-alive", "--quiet"];
  const tls = ["--cert", certificate.certFile, "--key", certificate.keyFile];
  const child = spawn(program, [...args, ...tls, "posix", objects], {
    stdio: "ignore",
    env: { ...process.env, ROOT_ACCESS_KEY: key.accessKeyId, ROOT_SECRET_KEY: key.secretAccessKey },
  });
  const kill = () => void child.kill("SIGKILL");
  // A test run that is ended early must not leave it behind.
  process.once("exit", kill);
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const listens = await eventually(() => isListening("127.0.0.1", port), 20_000, 50);
  if (!listens) throw new Error("the S3 server did not come up");
  return {
    certificate,
    objects,
    store: {
      name: "test-store",
      endpoint: new URL(`https://localhost:${port}`),
      region: "eu-test-1",
      bucket: "backups",
      prefix: "",
      key: { kind: "static", ...key },
      caBundle: certificate.authority,
      checksum: "sha256",
      ageRecipients: [],
      ageIdentity: null,
      allowInternal: true,
    },
    async close() {
      process.off("exit", kill);
      kill();
      await ended;
      if (existsSync(folder)) rmSync(folder, { recursive: true });
    },
  };
}
