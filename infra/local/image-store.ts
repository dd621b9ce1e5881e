/**
 * A node's image store, made once and shared by hard links.
 *
 * To import and unpack the MySQL image takes ten seconds and a gigabyte; to link its files takes
 * one second and nothing. That is safe because containerd never writes to content or to a committed
 * layer: containers write to layers of their own. Its databases are the exception and are copied.
 */

import { cpSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cached, hashOf } from "./build.ts";
import { type Component, livingComponent, startComponent } from "./components.ts";
import { type Image, importImages } from "./image.ts";
import type { Instance } from "./instance.ts";
import { attempt, killAndWait, LocalError, run } from "./process.ts";

const databases = [
  "io.containerd.metadata.v1.bolt/meta.db",
  "io.containerd.snapshotter.v1.overlayfs/metadata.db",
];

export type ImageStoreWish = {
  readonly init: number;
  readonly instance: Instance;
  readonly containerd: Component;
  readonly containerdVersion: string;
  readonly ctr: string;
  readonly images: readonly Image[];
};

/** Fills the store of a node whose containerd does not run yet; a filled one is left as it is. */
export async function fillImageStore(wish: ImageStoreWish): Promise<void> {
  const store = join(wish.instance.folder, "lib", "containerd");
  const done = join(wish.instance.folder, "node", "images-are-there");
  if (existsSync(done)) return;
  const words = wish.images.flatMap(({ names, layers, config }) => [
    ...names,
    ...layers,
    JSON.stringify(config),
  ]);
  const entry = `image-store-${hashOf([], [...words, wish.containerdVersion])}`;
  const model = await cached(entry, (folder) => makeModel(wish, store, join(folder, "containerd")));
  rmSync(store, { recursive: true, force: true });
  await copyStore(join(model, "containerd"), store);
  mkdirSync(done);
}

async function makeModel(wish: ImageStoreWish, store: string, model: string): Promise<void> {
  const { init, instance, containerd, ctr, images } = wish;
  await startComponent(init, instance, containerd);
  await importImages(init, ctr, images);
  const running = livingComponent(instance.folder, containerd.name);
  if (running === undefined) throw new LocalError("containerd ended while it imported images");
  // Its databases are whole after every transaction, so it needs no farewell.
  await killAndWait(running, 10_000);
  await copyStore(store, model);
}

async function copyStore(from: string, to: string): Promise<void> {
  const linked = await attempt("cp", ["--archive", "--link", from, to]);
  if (linked.code !== 0) {
    // The cache is on another file system.
    rmSync(to, { recursive: true, force: true });
    await run("cp", ["--archive", from, to]);
  }
  for (const database of databases) {
    rmSync(join(to, database), { force: true });
    cpSync(join(from, database), join(to, database));
  }
}
