/** The archive of an image is what every program that reads images takes, and the same bytes each time. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as z from "zod";
import { sorted } from "../../../infra/images/ordinal/entries.ts";
import { type Image, writeArchive, writeLayer } from "../../../infra/local/image.ts";
import type { TarEntry } from "../../../infra/local/tar.ts";

const descriptor = z.object({ digest: z.string().startsWith("sha256:"), size: z.number() });
const indexSchema = z.object({
  manifests: z.tuple([descriptor.extend({ annotations: z.record(z.string(), z.string()) })]),
});
const manifestSchema = z.object({ config: descriptor, layers: z.array(descriptor) });
const configSchema = z.object({
  config: z.record(z.string(), z.unknown()),
  rootfs: z.object({ diff_ids: z.array(z.string()) }),
});
const dockerSchema = z.tuple([
  z.object({ Config: z.string(), RepoTags: z.array(z.string()), Layers: z.array(z.string()) }),
]);

const folder = mkdtempSync(join(tmpdir(), "ordinal-archive-"));
const at = (name: string) => join(folder, name);
const unpacked = at("unpacked");
const name = "registry.example:5000/team/ordinal:1.2.3";
const file = (path: string): TarEntry => ({ kind: "text", name: path, content: path });

beforeAll(async () => {
  await writeLayer(at("one.tar"), [file("one")]);
  await writeLayer(at("two.tar"), [file("two")]);
  const config = { User: "65532:65532", Entrypoint: ["/one"], Labels: { a: "b" } };
  const image: Image = { names: [name], layers: [at("one.tar"), at("two.tar")], config };
  await writeArchive(at("image.tar"), image);
  await writeArchive(at("again.tar"), image);
  mkdirSync(unpacked);
  execFileSync("tar", ["-xf", at("image.tar"), "-C", unpacked]);
});
afterAll(() => rmSync(folder, { recursive: true }));

const read = (path: string) => readFileSync(join(unpacked, path));
const json = (path: string): unknown => JSON.parse(read(path).toString());
const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

function blob({ digest, size }: z.infer<typeof descriptor>): Buffer {
  const bytes = read(`blobs/${digest.replace(":", "/")}`);
  expect(`sha256:${sha256(bytes)}`).toBe(digest);
  expect(bytes).toHaveLength(size);
  return bytes;
}

test("the same image gives the same bytes", () => {
  expect(readFileSync(at("again.tar"))).toEqual(readFileSync(at("image.tar")));
});

test("as an OCI layout: every part is there under its digest", () => {
  expect(json("oci-layout")).toEqual({ imageLayoutVersion: "1.0.0" });
  const [entry] = indexSchema.parse(json("index.json")).manifests;
  expect(entry.annotations).toEqual({
    "io.containerd.image.name": name,
    "org.opencontainers.image.ref.name": "1.2.3",
  });
  const manifest = manifestSchema.parse(JSON.parse(blob(entry).toString()));
  const layers = manifest.layers.map(blob);
  expect(layers).toEqual([readFileSync(at("one.tar")), readFileSync(at("two.tar"))]);
  const config = configSchema.parse(JSON.parse(blob(manifest.config).toString()));
  expect(config.config).toEqual({ User: "65532:65532", Entrypoint: ["/one"], Labels: { a: "b" } });
  expect(config.rootfs.diff_ids).toEqual(layers.map((layer) => `sha256:${sha256(layer)}`));
});

test("as Docker's own form: the same configuration and layers", () => {
  const [entry] = indexSchema.parse(json("index.json")).manifests;
  const manifest = manifestSchema.parse(JSON.parse(blob(entry).toString()));
  const [docker] = dockerSchema.parse(json("manifest.json"));
  const path = ({ digest }: { readonly digest: string }) => `blobs/${digest.replace(":", "/")}`;
  expect(docker).toEqual({
    Config: path(manifest.config),
    RepoTags: [name],
    Layers: manifest.layers.map(path),
  });
});

test("entries come in one order, each after the folders that it is in", () => {
  const names = (files: readonly string[]) => sorted(files.map(file)).map((entry) => entry.name);
  const expected = ["a/", "a/b", "a/c/", "a/c/d", "z"];
  expect(names(["z", "a/c/d", "a/b"])).toEqual(expected);
  expect(names(["a/b", "z", "a/c/d"])).toEqual(expected);
});
