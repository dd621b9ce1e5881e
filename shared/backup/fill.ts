/**
 * The parts of a restore that read the store: whether it can be done, and the making of a data directory on the member's
 * volume, beside the one that is there. Nothing of what is in service is touched, wherever it ends; it can be begun again
 * at any time, and is done when the folder says so.
 */
import { mkdir, rename, rm, rmdir, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { CheckTask, FillTask } from "../model/job-order.ts";
import type { Outcome } from "../model/outcome.ts";
import type { Credentials } from "../ports/server.ts";
import { copiedBytes, found, restoreAndCheck } from "./contents.ts";
import { outcomeOf, unusable } from "./flow.ts";
import type { Manifest } from "./manifest.ts";
import {
  onVolume,
  type RestoreFolder,
  restoreFolder,
  serversNames,
  syncFile,
  syncTree,
  textIn,
  writeDurably,
} from "./restore-folder.ts";
import { originOf, planRestore, type RestorePlan } from "./restore-plan.ts";
import type { Work } from "./work.ts";

const MIB = 1024 ** 2;
const POSITION_CHARS_MAX = 160;

/** What would be restored, as one sentence. */
export async function checkRestore(work: Work, task: CheckTask): Promise<Outcome<string>> {
  return await outcomeOf(async () => {
    const { manifest, position, passedOver } = await planRestore(work, task);
    const { cluster, engine, slot, method, databases } = manifest;
    const size = `${mebibytes(copiedBytes(manifest))}`;
    const what = `The ${method} backup of ${slot} of ${cluster.namespace}/${cluster.name}`;
    const holds = `MySQL ${engine.version}, ${size}, up to ${cut(position)}`;
    const less = databases === null ? "" : ` It holds ${databases.join(", ")} alone, and no accounts.`;
    const newer = passedOver === 0 ? "" : ` Newer ones cannot be restored: ${passedOver}.`;
    return `${what} (${holds}) can be restored.${less}${newer}`;
  });
}

function cut(position: string): string {
  return position.length <= POSITION_CHARS_MAX ? position : `${position.slice(0, POSITION_CHARS_MAX)}…`;
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / MIB)} MiB`;
}

export interface Filling {
  /** The top of the member's volume. */
  readonly volume: string;
  readonly administrator: Credentials;
  /** Absent = as the system says. */
  readonly freeBytes?: (volume: string) => Promise<number>;
}

/** What is on the volume now, as one sentence. */
export async function fillVolume(work: Work, task: FillTask, filling: Filling): Promise<Outcome<string>> {
  const { volume } = filling;
  const folder = restoreFolder(volume, task.id);
  return await outcomeOf(() =>
    onVolume(async () => {
      const done = await textIn(folder.filled);
      if (done !== null) return done;
      await expectDataDirectory(work, volume);
      try {
        await clear(folder);
        const plan = await planRestore(work, task);
        await expectRoom(plan.manifest, filling);
        const said = await make(plan, folder, filling);
        await writeDurably(folder.filled, said);
        return said;
      } catch (error) {
        await takeBack(folder);
        throw error;
      }
    }),
  );
}

async function make(plan: RestorePlan, folder: RestoreFolder, { administrator }: Filling): Promise<string> {
  const { work, manifest, position } = plan;
  await mkdir(folder.work, { recursive: true, mode: 0o700 });
  const checked = await restoreAndCheck(work, plan, (stream) =>
    work.copies.rebuild({
      ...{ stream, position, administrator, folder: folder.work },
      origin: originOf(manifest),
    }),
  );
  const made = join(folder.work, "data");
  await syncTree(made);
  await rename(made, folder.fresh);
  await rm(folder.work, { recursive: true });
  for (const place of [folder.path, folder.parent, join(folder.parent, "..")]) await syncFile(place);
  return `The backup of ${manifest.slot} is on the volume and whole: ${found(checked)}.`;
}

/** What an earlier attempt has left; `old` is no attempt's. */
async function clear({ fresh, work }: RestoreFolder): Promise<void> {
  for (const place of [fresh, work]) await rm(place, { recursive: true, force: true });
}

/** As far as it goes: what failed is more important than what stays. */
async function takeBack(folder: RestoreFolder): Promise<void> {
  await clear(folder).catch(() => undefined);
  for (const place of [folder.path, folder.parent]) await rmdir(place).catch(() => undefined);
}

async function expectDataDirectory({ copies }: Work, volume: string): Promise<void> {
  const names = await serversNames(volume);
  if (names.length === 0 || copies.isDataDirectory(names)) return;
  throw unusable(
    `The volume is mounted at no data directory: it holds ${names.slice(0, 3).join(", ")}; mount it where the server's data is.`,
  );
}

/** What a server adds of its own: redo and undo logs, and the tablespace for temporary tables. */
const SERVERS_OWN = 256 * MIB;
/** A dump has no indexes; on tables of small rows they take as much again. */
const GROWTH = { physical: 1.02, logical: 2 } as const;

async function expectRoom(manifest: Manifest, { volume, freeBytes = free }: Filling): Promise<void> {
  const needed = copiedBytes(manifest) * GROWTH[manifest.method] + SERVERS_OWN;
  const there = await freeBytes(volume);
  if (there >= needed) return;
  throw unusable(
    `The volume has ${mebibytes(there)} free, and the backup needs ${mebibytes(needed)} beside the data that is kept; ` +
      "make its claim larger.",
  );
}

async function free(volume: string): Promise<number> {
  const { bavail, bsize } = await statfs(volume);
  return bavail * bsize;
}
