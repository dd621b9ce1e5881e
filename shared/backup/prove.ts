/**
 * Proves a backup: restores it into a server that is thrown away, and compares what that holds with what the manifest
 * says. The result is written beside the manifest and is of this manifest alone. Whatever could be otherwise tomorrow (a
 * store that is away, a disk that is full) is no result, and nothing is written of it.
 */
import { BrokenStream, orBreak } from "../model/broken-stream.ts";
import type { ProofTask } from "../model/job-order.ts";
import type { Outcome } from "../model/outcome.ts";
import type { Document } from "./catalogue.ts";
import { found, identityFor, restoreAndCheck } from "./contents.ts";
import { outcomeOf, unusable } from "./flow.ts";
import { readDocument } from "./holdings.ts";
import { manifestKey, proofKey } from "./layout.ts";
import { decodeManifest, encodeProof, MANIFEST_VERSION, type Proof } from "./manifest.ts";
import { patiently } from "./patience.ts";
import { patienceOf, placeOf, type Work } from "./work.ts";

const FAULT_CHARS_MAX = 400;

/** What was proven, as one sentence; the failure is what is wrong with the backup. */
export async function proveBackup(work: Work, task: ProofTask): Promise<Outcome<string>> {
  return await outcomeOf(async () => {
    const { store, clock } = work;
    const startMs = clock.now();
    const standing = { clusterUid: work.cluster.uid, slotMs: Date.parse(task.slot) };
    const key = manifestKey(placeOf(work), standing.slotMs);
    const document = await patiently(patienceOf(work), () => readDocument(store, key));
    const read = decodeManifest(document.text, standing);
    if (read.kind === "unusable")
      throw unusable(`The manifest of the backup of ${task.slot} is no use: ${read.why}.`);
    const manifest = read.value;
    const { method, position } = manifest;
    const identity = identityFor(work, manifest);
    const checked = await outcomeOf(() =>
      restoreAndCheck(work, { manifest, identity, proof: null }, (stream) =>
        work.copies.restore(method, stream, position),
      ),
    );
    if (!checked.ok && checked.failure.kind !== "refused") throw new BrokenStream(checked.failure);
    await writeProof(work, task, document, {
      at: new Date(clock.now()).toISOString(),
      tookMs: Math.max(0, Math.round(clock.now() - startMs)),
      fault: checked.ok ? null : checked.failure.message.slice(0, FAULT_CHARS_MAX),
      checked: checked.ok ? [...checked.value] : [],
    });
    return `The backup of ${task.slot} was restored and found whole: ${found(orBreak(checked))}.`;
  });
}

async function writeProof(
  work: Work,
  { slot }: ProofTask,
  { sha256 }: Document,
  result: Pick<Proof, "at" | "tookMs" | "fault" | "checked">,
): Promise<void> {
  const of = { v: MANIFEST_VERSION, clusterUid: work.cluster.uid, slot, manifestSha256: sha256 } as const;
  const text = Buffer.from(encodeProof({ ...of, ...result }));
  await patiently(patienceOf(work), () => work.store.put(proofKey(placeOf(work), Date.parse(slot)), text));
}
