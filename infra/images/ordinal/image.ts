/**
 * Ordinal's image: a layer of the runtime, which changes with Node, and one of our programs, which changes with this tree.
 *
 * The same tree on the same machine gives the same bytes. docs/image.md tells people what is where; the Dockerfile beside
 * this file gives the same to those who build with Docker, by asking this module for the files.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { root } from "../../dev/tool.ts";
import { type Image, type ImageConfig, importImages, writeLayer } from "../../local/image.ts";
import { runInside } from "../../local/namespaces.ts";
import type { TarEntry } from "../../local/tar.ts";
import { sorted } from "./entries.ts";
import { bundlePrograms, type Programs } from "./programs.ts";
import { nodeIn, type Runtime, userId } from "./runtime.ts";
import { npmParts, sbomOf } from "./sbom.ts";

/** What a local cluster knows the image of its checkout as. */
export const localName = "ordinal.local/ordinal:dev";

/** Where the bill of materials is in the image. */
const sbomPath = "usr/share/doc/ordinal/sbom.cdx.json";

export interface OrdinalImage {
  readonly image: Image;
  readonly sbom: string;
}

export interface ImageWish {
  readonly name: string;
  readonly runtime: Runtime;
  /** Takes the layer of the programs, which is in the image as long as the folder is there. */
  readonly folder: string;
  /** The commit, where the tree is one. */
  readonly revision?: string;
}

export async function buildImage({ name, runtime, folder, revision }: ImageWish): Promise<OrdinalImage> {
  const programs = await bundlePrograms();
  const { version, license } = manifest();
  const sbom = sbomOf(version, [...runtime.parts, ...npmParts(programs.packages)]);
  const layer = join(folder, "programs.tar");
  await writeLayer(layer, entriesOf(programs, sbom));
  const labels = {
    "org.opencontainers.image.title": "ordinal",
    "org.opencontainers.image.description": "Runs MySQL StatefulSets on Kubernetes with stateless functions.",
    "org.opencontainers.image.version": version,
    "org.opencontainers.image.licenses": license,
    ...(revision === undefined ? {} : { "org.opencontainers.image.revision": revision }),
  };
  return {
    image: { names: [name], layers: [runtime.layer, layer], config: { ...settings, Labels: labels } },
    sbom,
  };
}

/** How a container starts; the Dockerfile says the same. */
export const settings = {
  User: `${userId}:${userId}`,
  // A company's own authority is trusted when its bundle is mounted over the one in the image.
  Env: ["NODE_USE_SYSTEM_CA=1"],
  Entrypoint: [...nodeIn("/ordinal"), "/host/host.mjs", "--functions", "/host/functions"],
} as const satisfies ImageConfig;

/** Hands the image to a node's containerd; of the layers only what is not there yet is sent. */
export async function importOrdinal(
  init: number,
  ctr: string,
  { image, runtime }: { readonly image: Image; readonly runtime: Runtime },
): Promise<void> {
  const listed = await runInside(init, ctr, ["--namespace", "k8s.io", "images", "list", "--quiet"]);
  const known = listed.split("\n");
  const isThere = runtime.image.names.every((name) => known.includes(name));
  if (!isThere) await importImages(init, ctr, [runtime.image]);
  await importImages(init, ctr, [image], [runtime.layer]);
}

const manifestSchema = z.object({ version: z.string(), license: z.string() });

function manifest(): z.infer<typeof manifestSchema> {
  return manifestSchema.parse(JSON.parse(readFileSync(join(root, "package.json"), "utf8")));
}

function entriesOf({ files, packages }: Programs, sbom: string): readonly TarEntry[] {
  const texts: (readonly [name: string, content: string | Buffer])[] = [
    ...files,
    [sbomPath, sbom],
    ["usr/share/doc/ordinal/LICENSE", readFileSync(join(root, "LICENSE"))],
    ["usr/share/doc/ordinal/npm-licenses.txt", packages.map(licensesOf).join("")],
  ];
  return sorted(texts.map(([name, content]) => ({ kind: "text", name, content })));
}

/** What a package says of its licence, in its own words: whoever passes it on has to pass that on. */
function licensesOf(folder: string): string {
  const path = join(root, folder);
  const names = existsSync(path) ? readdirSync(path) : [];
  const texts = names
    .filter((name) => /^(?:licen[cs]e|copying|notice)/i.test(name))
    .sort()
    .map((name) => readFileSync(join(path, name), "utf8").trim());
  return `${folder.slice(folder.lastIndexOf("node_modules/") + "node_modules/".length)}\n\n${texts.join("\n\n")}\n\n\n`;
}
