/**
 * The S3 server of the local cluster, alone: over TLS, over a folder of its own, as a process that can be killed and started
 * again. It needs neither a cluster nor root, only the program, which Go builds once and the cache keeps.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildOtherS3Server, buildS3Server } from "../../infra/local/build.ts";
import { isListening } from "../../infra/local/components.ts";
import { findProgram } from "../../infra/local/packages.ts";
import { eventually, run } from "../../infra/local/process.ts";
import type { Store } from "../../shared/model/store.ts";
import { makeServerCertificate, type ServerCertificate } from "./certificates.ts";
import { freePort } from "./free-port.ts";

export interface S3Server {
  readonly store: Store;
  readonly certificate: ServerCertificate;
  /** Where the objects are files. */
  readonly objects: string;
  /** SIGKILL, so that whatever it was doing is left as it stands. */
  kill(): Promise<void>;
  /** Again, over the same objects and under the same address. */
  start(): Promise<void>;
  /** More or less room from now on, MiB, where there was a limit from the beginning. */
  makeRoom(mebibytes: number): Promise<void>;
  close(): Promise<void>;
}

/** Why it cannot be started here, or null. */
export function whyNoS3Server(): string | null {
  if (findProgram("openssl") === undefined) return "openssl is missing";
  if (findProgram("go") === undefined) return "Go is missing, which builds the S3 server";
  return null;
}

/** `versitygw` is the local cluster's, `rclone` another implementation of the same. */
export type S3Kind = "versitygw" | "rclone";

export interface S3ServerOptions {
  /** Absent = the local cluster's. */
  readonly kind?: S3Kind;
  /**
   * So much room for its objects, MiB: they are in memory, in a mount that only the server sees and that goes with it. Needs
   * root.
   */
  readonly room?: number;
  /** An address of this machine; absent = loopback, by its name. */
  readonly address?: string;
}

const LOOPBACK = "127.0.0.1";
const REGION = "eu-test-1";
const START_MS_MAX = 20_000;

interface Wish {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly address: string;
  readonly port: number;
}

/** For a shell, which gets its words as arguments: mounts, makes the bucket, and becomes the program. */
const MOUNT = 'mount -t tmpfs -o "size=$1m" tmpfs "$2" && mkdir "$2/backups" && shift 2 && exec "$@"';

function inSmallMount(room: number, folder: string, { program, args, ...more }: Wish): Wish {
  const words = ["sh", String(room), folder, program, ...args];
  return { ...more, program: "unshare", args: ["--mount", "sh", "-c", MOUNT, ...words] };
}

/** A process that listens there; a test run that is ended early does not leave it behind. */
function createListener({
  program,
  args,
  env,
  address,
  port,
}: Wish): Pick<S3Server, "kill" | "start"> & { pid(): number } {
  let running: { readonly child: ChildProcess; readonly ended: Promise<void> } | null = null;
  const kill = () => void running?.child.kill("SIGKILL");
  return {
    pid: () => running?.child.pid ?? Number.NaN,
    async start() {
      const child = spawn(program, args, { stdio: "ignore", env: { ...process.env, ...env } });
      running = { child, ended: new Promise((resolve) => child.once("close", () => resolve())) };
      process.once("exit", kill);
      if (!(await eventually(() => isListening(address, port), START_MS_MAX, 50)))
        throw new Error("the S3 server did not come up");
    },
    async kill() {
      process.off("exit", kill);
      kill();
      await running?.ended;
    },
  };
}

interface Place {
  readonly address: string;
  readonly port: number;
  readonly objects: string;
  readonly certificate: ServerCertificate;
  readonly key: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

/** Secrets go by the environment, since everybody can read a program's arguments. */
async function programOf(kind: S3Kind, { address, port, objects, certificate, key }: Place): Promise<Wish> {
  const { certFile, keyFile } = certificate;
  const { accessKeyId, secretAccessKey } = key;
  if (kind === "rclone") {
    const args = [
      "serve",
      "s3",
      `--addr=${address}:${port}`,
      `--cert=${certFile}`,
      `--key=${keyFile}`,
      objects,
    ];
    const env = { RCLONE_AUTH_KEY: `"${accessKeyId},${secretAccessKey}"`, RCLONE_CONFIG: "/dev/null" };
    return { program: await buildOtherS3Server((_, work) => work()), address, port, args, env };
  }
  const args = [`--port=${address}:${port}`, `--region=${REGION}`, "--keep-alive", "--quiet"];
  return {
    ...{ program: await buildS3Server((_, work) => work()), address, port },
    args: [...args, "--cert", certFile, "--key", keyFile, "posix", objects],
    env: { ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey },
  };
}

export async function startS3Server(options: S3ServerOptions = {}): Promise<S3Server> {
  const folder = mkdtempSync(join(tmpdir(), "ordinal-s3-"));
  const objects = join(folder, "objects");
  mkdirSync(join(objects, "backups"), { recursive: true });
  const { address = LOOPBACK, kind = "versitygw", room } = options;
  const certificate = await makeServerCertificate(folder, address);
  const port = await freePort(address);
  const key = { accessKeyId: "ordinal-test", secretAccessKey: randomBytes(20).toString("hex") };
  const wish = await programOf(kind, { address, port, objects, certificate, key });
  const { pid, ...server } = createListener(room === undefined ? wish : inSmallMount(room, objects, wish));
  await server.start();
  return {
    ...server,
    async makeRoom(mebibytes) {
      const within = ["--target", String(pid()), "--mount"];
      await run("nsenter", [...within, "mount", "-o", `remount,size=${mebibytes}m`, objects]);
    },
    certificate,
    objects,
    store: {
      name: "test-store",
      endpoint: new URL(`https://${address === LOOPBACK ? "localhost" : address}:${port}`),
      region: REGION,
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
      await server.kill();
      if (existsSync(folder)) rmSync(folder, { recursive: true });
    },
  };
}
