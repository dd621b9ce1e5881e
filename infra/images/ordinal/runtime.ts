/**
 * The layer that everything else stands on: the pinned Node with its loader and libraries, and the four files of /etc
 * that a process expects. There is no shell, no package tool and nothing else to find a flaw in.
 *
 * Node comes from npm by its hash; loader, libraries and the authorities come from this machine's Debian packages, whose
 * versions the bill of materials tells. The loader itself is asked for the libraries, so no list of them can be wrong.
 */
import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import * as z from "zod";
import { type PinnedNode, pinnedNode } from "../../dev/node24.mjs";
import { cached, hashOf } from "../../local/build.ts";
import { type Image, writeLayer } from "../../local/image.ts";
import { findProgram } from "../../local/packages.ts";
import { attempt, LocalError, run } from "../../local/process.ts";
import type { TarEntry } from "../../local/tar.ts";
import { sorted } from "./entries.ts";
import { npmPurl, type Part } from "./sbom.ts";

/** Nobody that a machine knows, and not root. */
export const userId = 65_532;

/** How to start Node with nothing of the image around it; a program follows. */
export function nodeIn(folder: string): readonly string[] {
  return [`${folder}/ld.so`, "--library-path", `${folder}/lib`, `${folder}/node`];
}

export interface Runtime {
  readonly layer: string;
  readonly parts: readonly Part[];
  /** An image of the layer alone, named after its bytes: it keeps the layer in a node's store for all that build on it. */
  readonly image: Image;
}

const loaders: Readonly<Record<string, string>> = {
  x64: "/lib64/ld-linux-x86-64.so.2",
  arm64: "/lib/ld-linux-aarch64.so.1",
};
const authorities = "/etc/ssl/certs/ca-certificates.crt";

/** These files are an input of what they make. */
const inputs = ["runtime.ts", "entries.ts"].map((name) => join(import.meta.dirname, name));

const partsSchema = z.array(
  z.object({
    kind: z.enum(["application", "library"]),
    name: z.string(),
    version: z.string(),
    purl: z.string(),
    license: z.string().exactOptional(),
    integrity: z.string().exactOptional(),
  }),
);

export async function buildRuntime(): Promise<Runtime> {
  const pinned = await pinnedNode();
  const loader = loaderHere();
  const libraries = await librariesOf(loader, pinned.node);
  // Without its symbols, which nothing of ours needs, Node is a seventh smaller.
  const strip = findProgram("strip");
  const words = [process.arch, pinned.integrity, strip === undefined ? "whole" : "stripped", ...libraries];
  const name = `ordinal-runtime-${pinned.version}-${hashOf([...inputs, loader, ...libraries, authorities], words)}`;
  const folder = await cached(name, async (scratch) => {
    const node = join(scratch, "node");
    if (strip === undefined) cpSync(pinned.node, node);
    else await run("nice", [strip, "-o", node, pinned.node]);
    const packages = await packagesOf([loader, ...libraries, authorities]);
    const parts = [nodePart(pinned), ...packages];
    writeFileSync(join(scratch, "parts.json"), JSON.stringify(parts));
    const licenses = [
      ["node", join(dirname(pinned.node), "../LICENSE")] as const,
      ...packages.map(copyright),
    ];
    await writeLayer(
      join(scratch, "layer.tar"),
      sorted([...programsOf(node, loader, libraries), ...settings(), ...licenses.map(licenseEntry)]),
    );
  });
  const layer = join(folder, "layer.tar");
  const tag = readFileSync(`${layer}.digest`, "utf8").slice(0, 12);
  const parts = partsSchema.parse(JSON.parse(readFileSync(join(folder, "parts.json"), "utf8")));
  const config = { Entrypoint: nodeIn("/ordinal") };
  return { layer, parts, image: { names: [`ordinal.local/runtime:${tag}`], layers: [layer], config } };
}

function loaderHere(): string {
  const loader = loaders[process.arch];
  if (process.platform !== "linux" || loader === undefined || !existsSync(loader)) {
    throw new LocalError(
      "the image is made of a Debian system's libraries, for x64 or arm64; elsewhere use infra/images/ordinal/Dockerfile",
      2,
    );
  }
  if (existsSync(authorities)) return loader;
  throw new LocalError(`${authorities} is missing; please install ca-certificates`, 2);
}

async function librariesOf(loader: string, program: string): Promise<readonly string[]> {
  const listed = await run(loader, ["--list", program]);
  return [...listed.matchAll(/ => (\/\S+) /g)].map(([, path = ""]) => path).sort();
}

function programsOf(node: string, loader: string, libraries: readonly string[]): readonly TarEntry[] {
  const file = (name: string, path: string): TarEntry => ({ kind: "file", name, path, mode: 0o755 });
  return [
    file("ordinal/node", node),
    file("ordinal/ld.so", loader),
    ...libraries.map((path) => file(`ordinal/lib/${basename(path)}`, path)),
  ];
}

function settings(): readonly TarEntry[] {
  const text = (name: string, content: string): TarEntry => ({ kind: "text", name, content });
  return [
    text("etc/passwd", `ordinal:x:${userId}:${userId}::/:/sbin/nologin\n`),
    text("etc/group", `ordinal:x:${userId}:\n`),
    // Without it, names of /etc/hosts are asked of DNS first.
    text("etc/nsswitch.conf", "hosts: files dns\n"),
    text(authorities.slice(1), readFileSync(authorities, "utf8")),
  ];
}

function nodePart({ name, version, integrity }: PinnedNode): Part {
  return { kind: "application", name, version, purl: npmPurl(name, version), license: "MIT", integrity };
}

/** The Debian packages that these files are of. */
async function packagesOf(files: readonly string[]): Promise<readonly Part[]> {
  const system = /^ID=(\S+)$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "debian";
  const names = await Promise.all(files.map(packageOf));
  const shown = await run("dpkg-query", [
    "--show",
    "--showformat=${Package} ${Version} ${Architecture}\\n",
    ...new Set(names),
  ]);
  return shown
    .trim()
    .split("\n")
    .map((line): Part => {
      const [name = "", version = "", architecture = ""] = line.split(" ");
      const purl = `pkg:deb/${system}/${name.replaceAll("+", "%2B")}@${encodeURIComponent(version)}?arch=${architecture}`;
      return { kind: "library", name, version, purl };
    });
}

async function packageOf(file: string): Promise<string> {
  // The authorities are put together on the machine from what their package brings.
  if (file === authorities) return "ca-certificates";
  // A package may have its files under /usr where the machine has one folder by two names.
  const found = await attempt("dpkg-query", ["--search", `*/${basename(dirname(file))}/${basename(file)}`]);
  const owner = /^(\S+): /m.exec(found.stdout)?.[1];
  if (owner !== undefined) return owner;
  throw new LocalError(
    `${file} is of no Debian package, so nobody could tell which version of it is in the image`,
    2,
  );
}

const copyright = ({ name }: Part) => [name, `/usr/share/doc/${name}/copyright`] as const;

function licenseEntry([name, path]: readonly [string, string]): TarEntry {
  return { kind: "file", name: `usr/share/doc/${name}/copyright`, path };
}
