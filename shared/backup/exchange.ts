/**
 * Exchanges what is in service on a member's volume with what a restore keeps beside it, by renaming alone. First
 * everything is moved away from the top of the volume, then the other data is moved there. In between it is written down
 * how far that is and what the names are, so that whoever comes next goes on or turns back from anywhere, that at every
 * moment the top holds names of one data directory and of no other, and that nothing is moved over anything.
 */
import { mkdir, rename, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { parseJson } from "../annotations/json.ts";
import type { ExchangeTask, ForgetTask } from "../model/job-order.ts";
import type { Outcome } from "../model/outcome.ts";
import type { Direction } from "../model/restore.ts";
import { outcomeOf, unusable } from "./flow.ts";
import {
  namesIn,
  onVolume,
  type RestoreFolder,
  restoreFolder,
  serversNames,
  syncFile,
  textIn,
  unlessAbsent,
  writeDurably,
} from "./restore-folder.ts";

/**
 * `emptying`: at the top is what is to go, or the rest of it. `emptied`: at the top is what is to come, as far as it has
 * been moved there.
 */
const stepSchema = z.strictObject({
  direction: z.enum(["in", "back"]),
  at: z.enum(["emptying", "emptied", "done"]),
  /** Of all that is moved now, wherever it is at the moment. */
  names: z.array(z.string()),
});
type Step = z.infer<typeof stepSchema>;

/** A folder for each schema, and a few for the server. */
const STEP_BYTES_MAX = 64 * 1024 * 1024;

interface Exchange {
  readonly volume: string;
  readonly folder: RestoreFolder;
  readonly task: ExchangeTask;
  /** Where what is at the top goes. */
  readonly out: string;
  /** Where what is to come lies. */
  readonly source: string;
}

/** One sentence; the failure is `refused` where a person has to look, and nothing is lost then. */
export async function exchange(volume: string, task: ExchangeTask): Promise<Outcome<string>> {
  const folder = restoreFolder(volume, task.id);
  const { direction, ordinal } = task;
  const [out, source] = direction === "in" ? [folder.old, folder.fresh] : [folder.fresh, folder.old];
  const work: Exchange = { volume, folder, task, out, source };
  return await outcomeOf(() =>
    onVolume(async () => {
      const before = await readStep(folder);
      if (before === null && direction === "back")
        return `The data of member ${ordinal} was not exchanged, so there is nothing to take back.`;
      if (before === null && ordinal === 0 && (await textIn(folder.filled)) === null)
        throw unusable("The volume of member 0 was not filled, so nothing is exchanged.");
      await carryOut(work, before);
      return `The ${direction === "in" ? "restored" : "earlier"} data of member ${ordinal} is in its place.`;
    }),
  );
}

async function carryOut(work: Exchange, before: Step | null): Promise<void> {
  const { folder, volume, out, source } = work;
  const { direction } = work.task;
  if (before?.direction === direction && before.at === "done") return;
  const step = before === null || before.at === "done" ? await begin(work) : turned(before, direction);
  if (step !== before) await writeStep(folder, step);
  if (step.at === "emptying") {
    await moveAll(work, step.names, { from: volume, to: out });
    await writeStep(folder, { direction, at: "emptied", names: [...(await namesIn(source))] });
    return await carryOut(work, await readStep(folder));
  }
  await moveAll(work, step.names, { from: source, to: volume });
  await writeStep(folder, { direction, at: "done", names: [] });
}

async function begin({ volume, folder, task, out, source }: Exchange): Promise<Step> {
  for (const place of [out, source]) await mkdir(place, { recursive: true, mode: 0o700 });
  for (const made of [folder.path, folder.parent, volume]) await syncFile(made);
  return { direction: task.direction, at: "emptying", names: [...(await serversNames(volume))] };
}

/**
 * Halfway through the other direction: what went is then what comes, and what came is what goes, and both are halfway there.
 */
function turned(step: Step, direction: Direction): Step {
  if (step.direction === direction) return step;
  return { direction, at: step.at === "emptying" ? "emptied" : "emptying", names: step.names };
}

interface Way {
  readonly from: string;
  readonly to: string;
}

/** All of `names` that are not there yet. What else is at either end stays, and is told of before anything is moved. */
async function moveAll(work: Exchange, names: readonly string[], { from, to }: Way): Promise<void> {
  const listed = (folder: string) => (folder === work.volume ? serversNames(folder) : namesIn(folder));
  const [left, moved] = [new Set(await listed(from)), new Set(await listed(to))];
  const known = new Set(names);
  const wrong = (name: string, how: string) =>
    unusable(
      `The data of member ${work.task.ordinal} cannot be exchanged: ${name} ${how}; end whatever works on the ` +
        "volume, and put it right.",
    );
  for (const name of [...left, ...moved]) {
    if (left.has(name) && moved.has(name)) throw wrong(name, `is both in ${from} and in ${to}`);
    if (!known.has(name)) throw wrong(name, "has come to the volume meanwhile");
  }
  for (const name of names)
    if (!left.has(name) && !moved.has(name)) throw wrong(name, "has gone from the volume");
  for (const name of left) await rename(join(from, name), join(to, name));
  for (const folder of [to, from]) await syncFile(folder);
  const [come] = await listed(from);
  if (come !== undefined) throw wrong(come, "has come to the volume meanwhile");
}

async function readStep({ step }: RestoreFolder): Promise<Step | null> {
  const text = await textIn(step);
  if (text === null) return null;
  const json = parseJson(text, STEP_BYTES_MAX);
  const parsed = stepSchema.safeParse(json.ok ? json.value : null);
  if (parsed.success) return parsed.data;
  throw unusable(`${step} cannot be read, so nobody knows what belongs where; nothing was moved.`);
}

async function writeStep({ step }: RestoreFolder, value: Step): Promise<void> {
  await writeDurably(step, JSON.stringify(value));
}

/** Deletes what a restore has left; the data that is in service is not touched. */
export async function forget(volume: string, { id, ordinal }: ForgetTask): Promise<Outcome<string>> {
  const folder = restoreFolder(volume, id);
  return await outcomeOf(() =>
    onVolume(async () => {
      const step = await readStep(folder);
      if (step !== null && step.at !== "done")
        throw unusable(
          `The data of member ${ordinal} is half exchanged; nothing is deleted before it is whole.`,
        );
      await rm(folder.forgotten, { recursive: true, force: true });
      // Half of it must never be taken for something that can be exchanged.
      await unlessAbsent(null, () => rename(folder.path, folder.forgotten));
      await rm(folder.forgotten, { recursive: true, force: true });
      const others = await namesIn(folder.parent);
      if (others.length === 0) await unlessAbsent(null, () => rmdir(folder.parent));
      return `What restore ${id} had left on the volume of member ${ordinal} is deleted.`;
    }),
  );
}
