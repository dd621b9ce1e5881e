/**
 * The parts of a restore that read the store: whether it can be done, and the making of a data directory on the member's
 * volume, beside the one that is there. Nothing of what is in service is touched, wherever it ends; it can be begun again
 * at any time, and is done when the folder says so.
 */
import { mkdir, rename, rm, rmdir, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { instantOf } from "../model/instant.ts";
import type { CheckTask, FillTask } from "../model/job-order.ts";
import type { Outcome } from "../model/outcome.ts";
import type { RestoreTarget } from "../model/restore.ts";
import type { Credentials } from "../ports/server.ts";
import { copiedBytes, found, restoreAndCheck } from "./contents.ts";
import type { LogReplay } from "./copies.ts";
import { outcomeOf, unusable } from "./flow.ts";
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
import { type Extent, extentOf, fetchInto, replayedBytes } from "./restore-point.ts";
import { expectGoingOn, progressOf, type Work } from "./work.ts";

const MIB = 1024 ** 2;
const POSITION_CHARS_MAX = 160;

/** What would be restored, as one sentence. */
export async function checkRestore(work: Work, task: CheckTask): Promise<Outcome<string>> {
  return await outcomeOf(async () => {
    const { manifest, replays, passedOver, work: there } = await planRestore(work, task);
    const { cluster, engine, slot, method, databases, position } = manifest;
    const size = `${mebibytes(copiedBytes(manifest))}`;
    const what = `The ${method} backup of ${slot} of ${cluster.namespace}/${cluster.name}`;
    const holds = `MySQL ${engine.version}, ${size}, up to ${cut(position)}`;
    const less = databases === null ? "" : ` It holds ${databases.join(", ")} alone, and no accounts.`;
    const newer = passedOver === 0 ? "" : ` Newer ones cannot be restored: ${passedOver}.`;
    const more = task.target.kind === "backup" ? "" : replayed(await extentOf(there, replays), "are to be");
    return `${what} (${holds}) can be restored.${more}${less}${newer}`;
  });
}

function replayed({ transactions, lastAtUs }: Extent, verb: "are to be" | "were"): string {
  if (lastAtUs === null) return " It is the point that was asked for, and nothing of the archive is needed.";
  return ` On it ${transactions} transactions of the archive ${verb} replayed, up to the commit of ${instantOf(lastAtUs)}.`;
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
        await expectRoom(plan, filling);
        const said = await make(plan, folder, filling, task.target);
        await writeDurably(folder.filled, said);
        return said;
      } catch (error) {
        await takeBack(folder);
        throw error;
      }
    }),
  );
}

async function make(
  plan: RestorePlan,
  folder: RestoreFolder,
  { administrator }: Filling,
  target: RestoreTarget,
): Promise<string> {
  const { work, manifest, proof } = plan;
  const { position } = manifest;
  const isProven = proof !== null;
  const [server, log] = [join(folder.work, "server"), join(folder.work, "log")];
  for (const place of [server, log]) await mkdir(place, { recursive: true, mode: 0o700 });
  const { replay, extent } = await fetchLog(plan, log);
  const checked = await restoreAndCheck(work, plan, (stream) =>
    work.copies.rebuild({
      ...{ stream, isProven, position, replay, administrator, folder: server },
      origin: originOf(manifest),
    }),
  );
  const made = join(server, "data");
  await syncTree(made);
  await rename(made, folder.fresh);
  await rm(folder.work, { recursive: true });
  for (const place of [folder.path, folder.parent, join(folder.parent, "..")]) await syncFile(place);
  const more = target.kind === "backup" ? "" : replayed(extent, "were");
  return `The backup of ${manifest.slot} is on the volume and whole: ${found(checked)}.${more}`;
}

/** Before the backup, so that what is wrong with it is known before hours have gone by. */
async function fetchLog(
  { work, manifest, replays }: RestorePlan,
  folder: string,
): Promise<{ readonly replay: LogReplay | null; readonly extent: Extent }> {
  const { positions } = work.logs;
  const { files, position, lastAtUs } = await fetchInto(work, replays, folder);
  const transactions = files.reduce((sum, file) => sum + BigInt(file.transactions), 0n);
  const extent = { transactions, lastAtUs };
  if (files.length === 0) return { replay: null, extent };
  const sizes = await Promise.all(files.map(async ({ path }) => (await stat(path)).size));
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  const before = positions.count(manifest.position);
  const tell = progressOf(work, bytes);
  let told = 0;
  const replay: LogReplay = {
    folder,
    files: files.map(({ path }) => path),
    position: positions.union(manifest.position, position),
    onReplayed(held) {
      expectGoingOn(work.signal);
      const done = Math.floor((bytes * Number(held - before)) / Number(transactions));
      tell(done - told);
      told = done;
    },
  };
  return { replay, extent };
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
/** The log itself, and what it makes grow. */
const LOG_GROWTH = 2;

async function expectRoom(
  { manifest, replays }: RestorePlan,
  { volume, freeBytes = free }: Filling,
): Promise<void> {
  const ofBackup = copiedBytes(manifest) * GROWTH[manifest.method];
  const needed = ofBackup + replayedBytes(replays) * LOG_GROWTH + SERVERS_OWN;
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
