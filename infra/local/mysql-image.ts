/**
 * The MySQL image and the pause image.
 *
 * The server is Oracle's MySQL as Debian packages it, with no option file, so every setting keeps
 * its compiled default as in the official image. Two layers: the large one holds packages only and
 * is made rarely; the small one holds our entry point, the mysql user and the folders.
 */

import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cached, hashOf } from "./build.ts";
import { type Image, writeDigest, writeLayer } from "./image.ts";
import { images, pins } from "./pins.ts";
import { run } from "./process.ts";
import type { Progress } from "./progress.ts";
import type { TarEntry } from "./tar.ts";

const packages = ["mysql-server-core", "mysql-client-core", "tzdata", "xz-utils", "zstd"];

/** What a server never reads; it is two fifths of what the packages bring. */
const leftOut = [
  "var/cache",
  "var/lib/apt",
  "var/log",
  "usr/share/doc",
  "usr/share/man",
  "usr/share/locale",
  "etc/mysql",
];

/** The official image's user and group id: volumes written by one can be read by the other. */
const mysqlId = 999;

/** This file is an input of what it makes. */
const here = import.meta.filename;

export type BuiltImages = { readonly list: readonly Image[]; readonly mysqlVersion: string };

export async function buildImages(progress: Progress, initProgram: string): Promise<BuiltImages> {
  const base = await progress("MySQL packages", mysqlBase);
  const top = await progress("MySQL entry point", () => mysqlTop(base));
  const pause = await progress("pause image", () => pauseLayer(initProgram));
  const list = [
    {
      names: images.mysql,
      layers: [join(base, "layer.tar"), join(top, "layer.tar")],
      config: {
        Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        Entrypoint: ["docker-entrypoint.sh"],
        Cmd: ["mysqld"],
        Volumes: { "/var/lib/mysql": {} },
        ExposedPorts: { "3306/tcp": {}, "33060/tcp": {} },
      },
    },
    { names: images.pause, layers: [join(pause, "layer.tar")], config: { Entrypoint: ["/pause"] } },
  ];
  return { list, mysqlVersion: readFileSync(join(base, "version"), "utf8") };
}

/** The folder of the cache with `layer.tar`, the packages of the image. */
export function mysqlBase(): Promise<string> {
  const entry = `mysql-base-${pins.mysqlSuite}-${hashOf([here], [process.arch])}`;
  return cached(entry, async (folder) => {
    const root = join(folder, "root");
    const include = `--include=${packages.join(",")}`;
    await run("nice", ["debootstrap", "--variant=minbase", include, pins.mysqlSuite, root]);
    await makeModel(root);
    const exclude = leftOut.map((path) => `--exclude=./${path}/*`);
    const layer = join(folder, "layer.tar");
    const same = ["--sort=name", "--mtime=@0", "--numeric-owner", "--one-file-system"];
    await run("tar", ["--create", `--file=${layer}`, `--directory=${root}`, ...same, ...exclude, "."]);
    for (const name of ["passwd", "group"]) {
      await run("cp", [join(root, "etc", name), join(folder, name)]);
    }
    const version = await run("chroot", [root, "mysqld", "--version"]);
    writeFileSync(join(folder, "version"), version.match(/Ver (\S+)/)?.[1] ?? "unknown");
    rmSync(root, { recursive: true });
    await writeDigest(layer);
  });
}

/** An initialised data directory for the entry point to copy, without what makes a server itself. */
async function makeModel(root: string): Promise<void> {
  const model = "usr/share/mysql-model";
  const args = ["--no-defaults", "--user=root", `--datadir=/${model}`, "--initialize-insecure"];
  await run("chroot", [root, "mysqld", ...args]);
  for (const name of readdirSync(join(root, model))) {
    if (name === "auto.cnf" || name.endsWith(".pem")) rmSync(join(root, model, name));
  }
  await run("chmod", ["--recursive", "a+rX", join(root, model)]);
}

function mysqlTop(base: string): Promise<string> {
  const script = join(import.meta.dirname, "..", "images", "mysql", "entrypoint.sh");
  return cached(`mysql-top-${hashOf([script, here], [base])}`, async (folder) => {
    const account = (name: string, line: string): TarEntry => ({
      kind: "text",
      name: `etc/${name}`,
      content: `${readFileSync(join(base, name), "utf8")}${line}\n`,
    });
    const own = (name: string, mode: number): TarEntry => ({
      kind: "folder",
      name: `${name}/`,
      mode,
      owner: mysqlId,
    });
    await writeLayer(join(folder, "layer.tar"), [
      account("passwd", `mysql:x:${mysqlId}:${mysqlId}::/var/lib/mysql:/bin/bash`),
      account("group", `mysql:x:${mysqlId}:`),
      { kind: "folder", name: "docker-entrypoint-initdb.d/" },
      {
        kind: "text",
        name: "usr/local/bin/docker-entrypoint.sh",
        mode: 0o755,
        content: readFileSync(script, "utf8"),
      },
      // Anybody may run the container, and must be able to write here.
      own("var/lib/mysql", 0o1777),
      own("var/lib/mysql-files", 0o750),
      own("run/mysqld", 0o1777),
    ]);
  });
}

function pauseLayer(initProgram: string): Promise<string> {
  return cached(`pause-${hashOf([initProgram])}`, (folder) =>
    writeLayer(join(folder, "layer.tar"), [{ kind: "file", name: "pause", mode: 0o755, path: initProgram }]),
  );
}
