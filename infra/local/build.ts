/**
 * The cluster's programs, built from source through the Go module proxy and kept in the cache.
 *
 * A cache entry is named after everything it was made of and appears whole or not at all: it is
 * built in a temporary folder and renamed. Where modules come from is the machine's own setting
 * (GOPROXY); this file never names a host. Only programs whose checksum stands in a go.sum, or in
 * the checksum database that the machine's Go trusts, get in.
 */

import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "./instance.ts";
import { withLock } from "./lock.ts";
import { findProgram } from "./packages.ts";
import { goVersion, pins } from "./pins.ts";
import { attempt, LocalError, run } from "./process.ts";
import type { Progress } from "./progress.ts";

export type Programs = {
  readonly init: string;
  readonly kube: string;
  readonly kubectl: string;
  readonly coredns: string;
  readonly versitygw: string;
};

/** Makes `folder` under the cache with `make`, unless it is there. Two processes never make the same one. */
export async function cached(entry: string, make: (folder: string) => Promise<void>): Promise<string> {
  const cache = cacheFolder();
  const finished = join(cache, entry);
  if (existsSync(finished)) return finished;
  return await withLock(join(cache, "locks", `${entry}.lock`), async () => {
    if (existsSync(finished)) return finished;
    // We hold the lock, so what others began under this name was left by a process that died.
    for (const left of readdirSync(cache).filter((name) => name.startsWith(`.${entry}-`))) {
      rmSync(join(cache, left), { recursive: true, force: true });
    }
    const scratch = mkdtempSync(join(cache, `.${entry}-`));
    try {
      await make(scratch);
      renameSync(scratch, finished);
      return finished;
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  });
}

/** A short hash of files and words: the part of an entry's name that changes with its inputs. */
export function hashOf(files: readonly string[], words: readonly string[] = []): string {
  const hash = createHash("sha256");
  for (const file of files) hash.update(readFileSync(file)).update("\0");
  for (const word of words) hash.update(word).update("\0");
  return hash.digest("hex").slice(0, 12);
}

/** The first program, which the pause image is made of as well. */
export async function buildInit(progress: Progress): Promise<string> {
  return join(await progress("init", () => ownModule("init", [])), "init");
}

/** The program of the S3 server, which needs nothing else of a cluster. */
export async function buildS3Server(progress: Progress): Promise<string> {
  const folder = await progress(`S3 server ${pins.versitygw}`, () =>
    published("versitygw", `github.com/versity/versitygw/cmd/versitygw@v${pins.versitygw}`),
  );
  return join(folder, "versitygw");
}

/** rclone's S3 server, which tests hold our stores against as well. */
export async function buildOtherS3Server(progress: Progress): Promise<string> {
  return join(await progress("S3 server of rclone", () => ownModule("rclone", [])), "rclone");
}

export async function buildPrograms(progress: Progress, init: string): Promise<Programs> {
  // One after the other: each build uses all processors, and Kubernetes much memory.
  const coredns = await progress(`CoreDNS ${pins.coredns}`, () =>
    published("coredns", `github.com/coredns/coredns@v${pins.coredns}`),
  );
  const versitygw = await buildS3Server(progress);
  const kube = await progress(`Kubernetes ${pins.kubernetes}`, () => ownModule("kube", kubeVersion()));
  return {
    init,
    kube: join(kube, "kube"),
    kubectl: join(kube, "kubectl"),
    coredns: join(coredns, "coredns"),
    versitygw,
  };
}

function kubeVersion(): readonly string[] {
  const [major, minor] = pins.kubernetes.split(".");
  const set = (name: string, value = "") => ["-X", `k8s.io/component-base/version.${name}=${value}`];
  return [...set("gitVersion", `v${pins.kubernetes}`), ...set("gitMajor", major), ...set("gitMinor", minor)];
}

/** Builds one of the Go modules beside this file. */
function ownModule(name: string, linkerWords: readonly string[]): Promise<string> {
  const source = join(import.meta.dirname, name);
  const files = readdirSync(source)
    .sort()
    .map((file) => join(source, file));
  const version = name === "kube" ? pins.kubernetes : "1";
  const entry = `${name}-${version}-${hashOf(files, [...linkerWords, process.arch])}`;
  return cached(entry, async (folder) => {
    const linker = ["-s", "-w", ...linkerWords].join(" ");
    const target = join(folder, name);
    await go(["build", "-trimpath", "-mod=readonly", "-ldflags", linker, "-o", target, "."], source);
    // The program tells by its own name which one it is to be; people and tests look for kubectl.
    if (name === "kube") symlinkSync("kube", join(folder, "kubectl"));
  });
}

function published(name: string, module: string): Promise<string> {
  return cached(`${name}-${module.split("@v")[1]}-${process.arch}`, async (folder) => {
    mkdirSync(folder, { recursive: true });
    await go(["install", "-trimpath", "-ldflags", "-s -w", module], folder, { GOBIN: folder });
  });
}

async function go(args: readonly string[], cwd: string, env: Record<string, string> = {}): Promise<void> {
  const program = findProgram("go");
  if (program === undefined) {
    throw new LocalError(
      `Go ${goVersion} or newer is missing (it builds Kubernetes); install it and run this again`,
      2,
    );
  }
  const version = await attempt(program, ["env", "GOVERSION"], { cwd, env: { GOTOOLCHAIN: "auto" } });
  if (version.code !== 0) {
    throw new LocalError(
      `${program} is too old and could not fetch Go ${goVersion}: ${version.stderr.trim()}`,
      2,
    );
  }
  const base = { CGO_ENABLED: "0", GOTOOLCHAIN: "auto", GOFLAGS: "-buildvcs=false", GOWORK: "off" };
  await run("nice", [program, ...args], { cwd, env: { ...base, ...env } });
}
