/**
 * Where a restore keeps what it needs on a member's volume. The top of the volume is the server's data directory, and a
 * server takes no notice of a folder whose name begins with a dot, so everything stands in one of those:
 *
 *   .ordinal/restore-<id>/new       data that is to go into service, or has been taken out of it again
 *   .ordinal/restore-<id>/old       data that was in service before
 *   .ordinal/restore-<id>/work      where a restore makes `new`
 *   .ordinal/restore-<id>/filled    written when `new` is complete
 *   .ordinal/restore-<id>/step      how far the two have been exchanged
 *
 * What is written here is on the disk when it has answered, so that the order of things holds when a machine fails.
 */
import { open, readdir, readFile, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { onDisk } from "./tar.ts";

const OURS = ".ordinal";
/** Neither ours nor a server's: a volume's own folder. */
const VOLUMES_OWN = "lost+found";

export interface RestoreFolder {
  /** `.ordinal`. */
  readonly parent: string;
  readonly path: string;
  readonly fresh: string;
  readonly old: string;
  readonly work: string;
  readonly filled: string;
  readonly step: string;
  /** What is being deleted; nothing in it is good for anything any more. */
  readonly forgotten: string;
}

/** `id` is one that `restoreWishSchema` takes. */
export function restoreFolder(volume: string, id: string): RestoreFolder {
  const parent = join(volume, OURS);
  const path = join(parent, `restore-${id}`);
  const [fresh = "", old = "", work = "", filled = "", step = ""] = [
    "new",
    "old",
    "work",
    "filled",
    "step",
  ].map((name) => join(path, name));
  return { parent, path, fresh, old, work, filled, step, forgotten: join(parent, `forgotten-${id}`) };
}

/** Names of what is the server's at the top of the volume, in order. */
export async function serversNames(volume: string): Promise<readonly string[]> {
  const names = await readdir(volume);
  return names.filter((name) => name !== OURS && name !== VOLUMES_OWN).sort();
}

/** Names in a folder, in order; none when it is not there. */
export async function namesIn(folder: string): Promise<readonly string[]> {
  return await unlessAbsent<readonly string[]>([], async () => (await readdir(folder)).sort());
}

/** Null when it is not there. */
export function textIn(file: string): Promise<string | null> {
  return unlessAbsent(null, () => readFile(file, "utf8"));
}

/** What `act` gives, or `absent` when what it wants is not there. */
export async function unlessAbsent<T>(absent: T, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return absent;
    throw error;
  }
}

export async function syncFile(path: string): Promise<void> {
  const handle = await open(path);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** All of it is there, or what was there before. */
export async function writeDurably(file: string, text: string): Promise<void> {
  const beside = `${file}.next`;
  const handle = await open(beside, "w", 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(beside, file);
  await syncFile(dirname(file));
}

/** Every file and folder of it. */
export async function syncTree(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile() || entry.isDirectory()) await syncFile(join(entry.parentPath, entry.name));
  }
  await syncFile(folder);
}

/** What `work` gives; throws `BrokenStream` where the disk does not let us. */
export async function onVolume<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw onDisk(error);
  }
}
