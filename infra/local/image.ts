/**
 * Container images in the OCI layout, put together by us: streamed straight into containerd, or into a file.
 *
 * An image is a list of layer files and a configuration; the archive around them is made as it is read.
 * The same inputs give the same digests. Nothing is ever pulled from an image registry.
 */

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { inside } from "./namespaces.ts";
import { LocalError, lastLines } from "./process.ts";
import { type TarEntry, tarOf } from "./tar.ts";

export type ImageConfig = {
  readonly User?: string;
  readonly Env?: readonly string[];
  readonly Entrypoint: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Volumes?: Readonly<Record<string, object>>;
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly Labels?: Readonly<Record<string, string>>;
};

export type Image = {
  readonly names: readonly string[];
  readonly layers: readonly string[];
  readonly config: ImageConfig;
};

/** Writes a layer of a few entries, with its digest in a file beside it. */
export async function writeLayer(file: string, entries: readonly TarEntry[]): Promise<void> {
  await pipeline(Readable.from(tarOf(entries)), createWriteStream(file));
  await writeDigest(file);
}

/** A layer's digest is kept beside it, because a large layer takes seconds to read again. */
export async function writeDigest(file: string): Promise<void> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  writeFileSync(`${file}.digest`, hash.digest("hex"));
}

/** `layersThere`: paths of layers that containerd has from another image already, and need not be sent. */
export async function importImages(
  init: number,
  ctr: string,
  images: readonly Image[],
  layersThere: readonly string[] = [],
): Promise<void> {
  for (const image of images) {
    // `import` checks every digest, so a layer that was damaged in the cache is found here.
    const args = ["--namespace", "k8s.io", "images", "import", "--snapshotter", "overlayfs", "-"];
    const child = spawn("nsenter", inside(init, ctr, args), { stdio: ["pipe", "ignore", "pipe"] });
    let complaint = "";
    child.stderr.on("data", (chunk: Buffer) => {
      complaint += chunk.toString();
    });
    const ended = new Promise<number>((resolve) => child.on("close", (code) => resolve(code ?? 1)));
    const fed = pipeline(Readable.from(tarOf(layoutOf(image, layersThere))), child.stdin).then(
      () => undefined,
      (error: unknown) => error,
    );
    const [code, broken] = await Promise.all([ended, fed]);
    if (code !== 0 || broken !== undefined) {
      throw new LocalError(`${image.names[0]} could not be imported: ${lastLines(complaint)}`);
    }
  }
}

/** A file that podman, skopeo and crane take as an OCI archive and any Docker by `docker load`. */
export async function writeArchive(file: string, image: Image): Promise<void> {
  await pipeline(Readable.from(tarOf(layoutOf(image))), createWriteStream(file));
}

function layoutOf(image: Image, layersThere: readonly string[] = []): readonly TarEntry[] {
  const layers = image.layers.map((path) => ({ path, digest: readFileSync(`${path}.digest`, "utf8") }));
  const config = JSON.stringify({
    architecture: process.arch === "x64" ? "amd64" : process.arch,
    os: "linux",
    config: image.config,
    rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => `sha256:${digest}`) },
  });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: describe("application/vnd.oci.image.config.v1+json", config),
    layers: layers.map(({ path, digest }) => ({
      mediaType: "application/vnd.oci.image.layer.v1.tar",
      digest: `sha256:${digest}`,
      size: statSync(path).size,
    })),
  });
  const manifestEntry = describe("application/vnd.oci.image.manifest.v1+json", manifest);
  const index = JSON.stringify({
    schemaVersion: 2,
    manifests: image.names.map((name) => ({
      ...manifestEntry,
      annotations: {
        "io.containerd.image.name": name,
        "org.opencontainers.image.ref.name": name.slice(name.lastIndexOf(":") + 1),
      },
    })),
  });
  // What an older Docker reads in place of the index.
  const forDocker = JSON.stringify([
    {
      Config: blob(sha256(config)),
      RepoTags: image.names,
      Layers: layers.map(({ digest }) => blob(digest)),
    },
  ]);
  return [
    { kind: "text", name: "oci-layout", content: '{"imageLayoutVersion":"1.0.0"}' },
    { kind: "text", name: "index.json", content: index },
    { kind: "text", name: "manifest.json", content: forDocker },
    ...[manifest, config].map((content) => ({ kind: "text", name: blob(sha256(content)), content }) as const),
    ...layers
      .filter(({ path }) => !layersThere.includes(path))
      .map(({ path, digest }) => ({ kind: "file", name: blob(digest), path }) as const),
  ];
}

function describe(mediaType: string, content: string) {
  return { mediaType, digest: `sha256:${sha256(content)}`, size: Buffer.byteLength(content) };
}

function blob(digest: string): string {
  return join("blobs", "sha256", digest);
}

function sha256(content: string): string {
  return createHash("sha256").update(content).digest("hex");
}
