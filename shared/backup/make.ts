/**
 * Makes one backup: copies, stores every part, asks the store for each of them once more, and writes the manifest last
 * and once. Until then there is no backup, and wherever it is killed there is none: what an attempt leaves behind is
 * parts that no manifest names, which the retention takes away later, and uploads, which the next attempt aborts.
 */

import { UNCONDITIONAL } from "../model/backup.ts";
import { BrokenStream, orBreak } from "../model/broken-stream.ts";
import type { BackupTask } from "../model/job-order.ts";
import { assert, type Outcome } from "../model/outcome.ts";
import { parseRecipient } from "./age-keys.ts";
import { readUnneeded } from "./archive/unneeded.ts";
import { startsAmong } from "./archive/window.ts";
import type { Copy, Source, TableCounts } from "./copies.ts";
import { type Bytes, outcomeOf, unusable } from "./flow.ts";
import { carryOutDeletions, readCatalogue, readDocument } from "./holdings.ts";
import { backupsFolder, manifestKey, partKey, probeKey } from "./layout.ts";
import { abortUploads } from "./leftovers.ts";
import { encodeManifest, MANIFEST_VERSION, type Manifest } from "./manifest.ts";
import { patiently } from "./patience.ts";
import { probeConditions } from "./probe.ts";
import { keptSlots, planRetention } from "./retention.ts";
import { type SealedObject, sealStream } from "./seal.ts";
import { patienceOf, placeOf, progressOf, stoppable, type Work } from "./work.ts";

type Part = Manifest["parts"][number];

/** Levels are those of shared/backup/zstd.ts. */
const COMPRESSION = { name: "zstd", level: 3 } as const;

interface Attempt {
  readonly work: Work;
  readonly task: BackupTask;
  readonly slotMs: number;
  /** In the names of its parts, so that two pods that work on the same attempt never write the same object. */
  readonly token: string;
}

const TOKEN_CHARS = 8;

/** What was made, as one sentence. */
export async function makeBackup(work: Work, task: BackupTask, source: Source): Promise<Outcome<string>> {
  const slotMs = Date.parse(task.slot);
  const token = work.ids.password().slice(0, TOKEN_CHARS);
  const made = await outcomeOf(() => carryOut({ work, task, slotMs, token }, source));
  if (made.ok) await prune(work, task);
  return made;
}

async function carryOut(attempt: Attempt, source: Source): Promise<string> {
  const { work, task, slotMs } = attempt;
  const { store, copies } = work;
  const key = manifestKey(placeOf(work), slotMs);
  const before = await outcomeOf(() => patiently(patienceOf(work), () => store.head(key)));
  if (before.ok) return `The backup of ${task.slot} is there already.`;
  if (before.failure.kind !== "gone") throw new BrokenStream(before.failure);
  // Before hours of copying: whoever may not write is told so now.
  const writesOnce = await patiently(patienceOf(work), () => probeConditions(store, probeKey(placeOf(work))));
  // There is one backup at a time; whoever still sends parts was given up.
  const aborted = await abortUploads(store, backupsFolder(placeOf(work)), () => true);
  if (!aborted.ok) work.log.warn("uploads of earlier attempts stay", { why: aborted.failure.message });
  const startedAt = new Date(work.clock.now()).toISOString();
  const use = async (copy: Copy): Promise<string> => {
    const parts = await storeParts(attempt, copy);
    const text = encodeManifest(manifestOf(attempt, copy, { ...parts, startedAt }));
    const isOurs = await writeManifest(attempt, text, writesOnce);
    if (isOurs) return `${summary(task, parts.all)}${writesOnce ? "" : ` Beware: ${UNCONDITIONAL}.`}`;
    await removeParts(attempt, parts.all);
    return `The backup of ${task.slot} was made by somebody else meanwhile.`;
  };
  if (task.method === "physical") return await copies.physical(source, use);
  return await copies.logical(source, task.databases, use);
}

interface Parts {
  readonly all: readonly Part[];
  /** Name of the one with the rows of tables. */
  readonly counts: string | null;
}

/** All of them, and the store was asked for each once more; after a failure none of them stays. */
async function storeParts(attempt: Attempt, copy: Copy): Promise<Parts> {
  const { work } = attempt;
  const all: Part[] = [];
  try {
    all.push(...(await sealParts(attempt, copy)));
    const counts = copy.counts === null ? null : await sealCounts(attempt, copy.counts);
    if (counts !== null) all.push(counts);
    for (const { name, bytes } of all) {
      const found = await patiently(patienceOf(work), () => work.store.head(keyOf(attempt, name)));
      if (found.size !== bytes) throw unusable(`The store has changed ${name} after it was written.`);
    }
    return { all, counts: counts?.name ?? null };
  } catch (error) {
    await removeParts(attempt, all);
    throw error;
  }
}

async function removeParts(attempt: Attempt, parts: readonly Part[]): Promise<void> {
  for (const { name } of parts) await attempt.work.store.remove(keyOf(attempt, name));
}

/**
 * Once and for all; false when that of somebody else was there first, or stands there now where a store does not write a
 * key once. Where nobody can say whether ours was written the parts stay: they belong to a backup, or they go when they
 * are old.
 */
async function writeManifest({ work, slotMs }: Attempt, text: string, writesOnce: boolean): Promise<boolean> {
  const key = manifestKey(placeOf(work), slotMs);
  const bytes = Buffer.from(text);
  const written = await outcomeOf(() =>
    patiently(patienceOf(work), () => work.store.put(key, bytes, { ifAbsent: true })),
  );
  if (written.ok && writesOnce) return true;
  const found = await readDocument(work.store, key);
  if (found.ok) return found.value.text === text;
  throw new BrokenStream(written.ok ? found.failure : written.failure);
}

function keyOf({ work, task, slotMs }: Attempt, name: string): string {
  return partKey(placeOf(work), { slotMs, attempt: task.attempt, name });
}

async function seal(
  attempt: Attempt,
  stream: Bytes,
  nameOf: (number: number) => string,
  onPlain: (bytes: number) => void,
): Promise<readonly Part[]> {
  const { work } = attempt;
  const recipients = work.settings.ageRecipients.map((text) => {
    const recipient = parseRecipient(text);
    assert(recipient !== null, "the recipients of a store were checked when its Secret was read");
    return recipient;
  });
  const sealed = await sealStream(stoppable(stream, work.signal), {
    ...{ store: work.store, recipients, patience: patienceOf(work), onPlain },
    ...(work.shape && { shape: work.shape }),
    keyOf: (number) => keyOf(attempt, nameOf(number)),
  });
  return orBreak(sealed).map((object, index) => partOf(object, nameOf(index + 1)));
}

function partOf({ stored, plain }: SealedObject, name: string): Part {
  return {
    ...{ name, bytes: stored.size, sha256: stored.sha256 },
    ...{ plainBytes: plain.size, plainSha256: plain.sha256 },
  };
}

const ending = ({ work }: Attempt) => (work.settings.ageRecipients.length === 0 ? ".zst" : ".zst.age");

function sealParts(attempt: Attempt, { stream, bytes }: Copy): Promise<readonly Part[]> {
  const { task, token, work } = attempt;
  const what = task.method === "physical" ? `data-${token}.tar` : `dump-${token}.sql`;
  const nameOf = (number: number) => `${what}.${String(number).padStart(4, "0")}${ending(attempt)}`;
  return seal(attempt, stream, nameOf, progressOf(work, bytes));
}

async function sealCounts(attempt: Attempt, counts: TableCounts): Promise<Part> {
  async function* text(): Bytes {
    yield Buffer.from(JSON.stringify(counts));
  }
  const nameOf = (number: number) =>
    `rows-${attempt.token}${number === 1 ? "" : `.${number}`}.json${ending(attempt)}`;
  const [part] = await seal(attempt, text(), nameOf, () => undefined);
  assert(part !== undefined, "a sealed stream has at least one object");
  return part;
}

function manifestOf(
  { work, task }: Attempt,
  copy: Copy,
  made: Parts & { readonly startedAt: string },
): Manifest {
  const recipients = [...work.settings.ageRecipients];
  return {
    v: MANIFEST_VERSION,
    cluster: work.cluster,
    ...{ slot: task.slot, attempt: task.attempt, method: task.method, startedAt: made.startedAt },
    engine: { name: "mysql", version: copy.version },
    databases: task.databases === null ? null : [...task.databases],
    endedAt: new Date(work.clock.now()).toISOString(),
    position: copy.position(),
    serverUuid: copy.serverUuid,
    parts: [...made.all],
    checksums: made.counts,
    compression: COMPRESSION,
    encryption: recipients.length === 0 ? null : { name: "age", recipients },
    asked: { how: task.asked, by: null },
    tools: [copy.tool],
  };
}

function summary({ method, slot }: BackupTask, parts: readonly Part[]): string {
  const sum = (of: (part: Part) => number) => parts.reduce((total, part) => total + of(part), 0);
  const [plain, stored] = [sum((part) => part.plainBytes), sum((part) => part.bytes)];
  return `The ${method} backup of ${slot} holds ${plain} bytes in ${parts.length} objects of ${stored} bytes.`;
}

/** A backup that is there stays good whatever becomes of older ones: the next pass deletes what this one could not. */
async function prune(work: Work, { retention, timeZone, keep }: BackupTask): Promise<void> {
  const place = placeOf(work);
  const nowMs = work.clock.now();
  const catalogue = await readCatalogue(work.store, place);
  const plan = planRetention({
    ...{ place, catalogue, retention, timeZone, nowMs },
    ...{ needed: new Set(), busy: new Set(keep.map((slot) => Date.parse(slot))) },
  });
  if (plan.kind === "refused") {
    work.log.warn("nothing is deleted", { why: plan.why });
    return;
  }
  const starts = startsAmong(catalogue, keptSlots(plan.verdicts));
  const chains = await readUnneeded(work.store, place, { starts, nowMs }, work.logs.positions);
  if (!chains.ok) work.log.warn("no archived log is deleted", { why: chains.failure.message });
  const deletions = [...plan.deletions, ...(chains.ok ? chains.value : [])];
  const pruned = await carryOutDeletions(work.store, deletions);
  if (pruned.ok) work.log.info("retention", { ...pruned.value });
  else work.log.warn("not everything was deleted", { why: pruned.failure.message });
}
