/** What `backups` and `prune` print for people, from the same documents that `-o json` prints. Pure. */
import type { BackupList, Fate, ListedBackup, Pruning } from "../model/documents.ts";
import { awayFrom, bytes, type Here, NONE, since } from "../model/format.ts";
import type { Tone } from "../model/summary.ts";
import { type Cell, type Paint, table } from "./table.ts";

interface Look {
  readonly here: Here;
  readonly paint: Paint;
}

function provenCell({ proof }: ListedBackup, here: Here): Cell {
  if (proof === null) return { text: "no" };
  return proof.fault === null
    ? { text: awayFrom(proof.at, here), tone: "good" }
    : { text: "failed", tone: "bad" };
}

function noteOf({ soundness, why, proof, databases }: ListedBackup): string {
  const notes = [
    ...(soundness === "complete" ? [] : [`${soundness}: ${why ?? ""}`]),
    ...(proof?.fault == null ? [] : [proof.fault]),
    ...(databases === null ? [] : [`databases ${databases.join(",")}`]),
  ];
  return notes.join("; ");
}

function clusterOf({ namespace, name, clusterUid }: ListedBackup): string {
  return namespace === null || name === null ? clusterUid : `${namespace}/${name}`;
}

/** `several`: of more than one cluster. */
export function renderBackups({ items }: BackupList, several: boolean, { here, paint }: Look): string {
  if (items.length === 0) return "";
  const titles = [...(several ? ["CLUSTER"] : []), "SLOT", "AGE", "METHOD", "SIZE", "PROVEN", "NOTE"];
  const rows = items.map((item): readonly Cell[] => [
    ...(several ? [{ text: clusterOf(item) }] : []),
    { text: item.slot, ...(item.soundness !== "complete" && { tone: "bad" as const }) },
    { text: since(item.slot, here) },
    { text: item.method ?? NONE },
    { text: bytes(item.bytes) },
    provenCell(item, here),
    { text: noteOf(item) },
  ]);
  return table(titles, rows, paint);
}

const TONES: Readonly<Record<Fate, Tone | undefined>> = {
  keep: undefined,
  delete: "attention",
  deleted: "attention",
  kept: "attention",
  failed: "bad",
};

function fateCell(fate: Fate): Cell {
  const tone = TONES[fate];
  return { text: fate, ...(tone !== undefined && { tone }) };
}

export interface Rule {
  /** As its annotation says; null = nothing is ever deleted. */
  readonly rule: string | null;
  /** Whose days, weeks and months it counts; null = it counts backups. */
  readonly timeZone: string | null;
}

export function renderPruning(pruning: Pruning, { rule, timeZone }: Rule, { here, paint }: Look): string {
  const { namespace, name, items, leftovers, dryRun } = pruning;
  const going = items.filter(({ fate }) => fate !== "keep");
  const freed = bytes(going.reduce((sum, item) => sum + item.bytes, 0));
  const zone = timeZone === null ? "" : ` by the calendar of ${timeZone}`;
  const said = rule === null ? "keeps every backup" : `is ${rule}${zone}`;
  const head = `The retention of ${namespace}/${name} ${said}: ${items.length - going.length} stay, ${going.length} go (${freed}).`;
  const rows = [
    ...items.map(({ slot, bytes: size, fate, reason }): readonly Cell[] => [
      ...[{ text: slot }, { text: since(slot, here) }, { text: bytes(size) }],
      ...[fateCell(fate), { text: reason }],
    ]),
    ...leftovers.map(({ slot, objects, fate, reason }): readonly Cell[] => [
      ...[
        { text: slot },
        { text: since(slot, here) },
        { text: objects === 1 ? "1 object" : `${objects} objects` },
      ],
      ...[fateCell(fate), { text: reason }],
    ]),
  ];
  const listed =
    rows.length === 0 ? "" : `\n${table(["SLOT", "AGE", "SIZE", "FATE", "REASON"], rows, paint)}`;
  return `${head}\n${listed}${dryRun ? "\nNothing was changed. Without --dry-run it is done.\n" : ""}`;
}
