/** Which backups there are and what they are worth, and to which instants the cluster can be recovered. */
import type { ShownCluster, StoredBackups } from "../../model/answers.ts";
import type { ClusterBackups, RecoveryWindow } from "../../model/documents.ts";
import { age, type Here, localTime } from "../../model/format.ts";
import { type Day, FATES, type Fate, marksOf, weeksOf, worstOf } from "./calendar.ts";
import { type Child, h, type Tree } from "./dom.ts";
import { unseen, when } from "./words.ts";

const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"] as const;

function timeOf(slot: string): string {
  return `${slot.slice(11, 16)} UTC`;
}

function cell({ date, isToday, marked }: Day): Tree {
  const fate = worstOf(marked);
  const told = marked.map(({ slot, fate: each, note }) => {
    const more = note === null || note === "" ? "" : ` (${note})`;
    return `${timeOf(slot)} ${FATES[each].word}${more}`;
  });
  const number = h("span", { class: "day" }, [date.slice(8).replace(/^0/, "")]);
  const shape =
    fate === null
      ? unseen(" no backup")
      : h("span", { class: `fate ${FATES[fate].tone}` }, [
          h("span", { "aria-hidden": "true" }, [FATES[fate].shape]),
          unseen(` ${told.join("; ")}`),
          marked.length > 1 ? h("small", { "aria-hidden": "true" }, [`×${marked.length}`]) : null,
        ]);
  return h("td", { title: told.length === 0 ? null : told.join("\n"), class: isToday ? "today" : null }, [
    number,
    shape,
  ]);
}

function calendar(backups: ClusterBackups, stored: StoredBackups | null, here: Here): Tree {
  const zone = backups.timeZone ?? "UTC";
  const weeks = weeksOf(marksOf(backups, stored?.backups ?? null), here.nowMs, zone);
  return h("table", { class: "calendar" }, [
    h("caption", {}, [`The last five weeks, days of ${zone}`]),
    h("thead", {}, [
      h(
        "tr",
        {},
        WEEKDAYS.map((day) => h("th", { scope: "col" }, [day])),
      ),
    ]),
    h(
      "tbody",
      {},
      weeks.map((week) => h("tr", {}, week.map(cell))),
    ),
  ]);
}

const LEGEND: readonly Fate[] = ["proven", "made", "failed", "running", "planned"];

function legend(): Tree {
  return h(
    "ul",
    { class: "legend" },
    LEGEND.map((fate) => {
      const { shape, word, tone } = FATES[fate];
      return h("li", {}, [h("span", { class: `fate ${tone}`, "aria-hidden": "true" }, [shape]), ` ${word}`]);
    }),
  );
}

function facts(backups: ClusterBackups, here: Here): Tree {
  const { last, proven, nextSlot, schedule, failures, missed, failed, unproven } = backups;
  const lines: readonly (readonly Child[])[] = [
    last === null ? ["There is none yet."] : ["The last is of ", when(last.slot, here), `, ${last.method}.`],
    proven === null ? ["None is proven yet."] : ["The last one proven is of ", when(proven.slot, here), "."],
    schedule === null
      ? ["None is scheduled: they are made on demand."]
      : nextSlot === null
        ? ["The next is not known yet."]
        : ["The next is ", when(nextSlot, here), "."],
    ...(failures > 0 ? [[`${failures} failed since the last.`]] : []),
    ...(missed > 0 ? [[`${missed} missed since the last.`]] : []),
    ...(failed === null ? [] : [["✖ The backup of ", when(failed.slot, here), ` failed: ${failed.reason}`]]),
    ...(unproven === null
      ? []
      : [["✖ The proof of ", when(unproven.slot, here), ` failed: ${unproven.reason}`]]),
  ];
  return h(
    "ul",
    { class: "facts" },
    lines.map((line) => h("li", {}, line)),
  );
}

export function backupParts(
  { backups }: ShownCluster,
  stored: StoredBackups | null,
  here: Here,
): readonly Child[] {
  if (backups === null) {
    return [
      h("p", {}, ["There are no backups: ", h("code", {}, ["ordinal.dev/backup-store"]), " names no store."]),
    ];
  }
  const gap = stored?.gap ?? null;
  return [
    h("div", { class: "side" }, [
      facts(backups, here),
      h("div", {}, [calendar(backups, stored, here), legend()]),
    ]),
    gap === null ? null : h("p", { class: "faint" }, [`Only what is remembered is shown: ${gap}`]),
  ];
}

/** A share of the whole, in hundredths. */
function share(instant: string, fromMs: number, wholeMs: number): number {
  return wholeMs === 0 ? 0 : ((Date.parse(instant) - fromMs) / wholeMs) * 100;
}

/** In words, what the bar is a picture of. */
function reach(from: string, to: string, gaps: number, gapMs: number, here: Here): Child {
  const but =
    gaps === 0
      ? ", without a gap"
      : `, but for ${gaps === 1 ? "a gap" : `${gaps} gaps`} of ${age(gapMs)}${gaps === 1 ? "" : " together"}`;
  return h("p", {}, [`To any instant from ${localTime(from, here)} to `, when(to, here), `${but}.`]);
}

function bar({ gaps }: RecoveryWindow, from: string, to: string): Tree {
  const fromMs = Date.parse(from);
  const wholeMs = Date.parse(to) - fromMs;
  const holes = gaps.map((gap) => {
    const left = share(gap.from, fromMs, wholeMs);
    // As narrow as it may be, it has to be seen.
    const width = Math.max(0.6, share(gap.to, fromMs, wholeMs) - left);
    return h("span", { class: "gap" }, [], { style: { left: `${left}%`, width: `${width}%` } });
  });
  return h("div", { class: "window", "aria-hidden": "true" }, holes);
}

function gapTable({ gaps }: RecoveryWindow, here: Here): Child {
  if (gaps.length === 0) return null;
  const rows = gaps.map(({ from, to }) =>
    h("tr", {}, [
      h("td", {}, [localTime(from, here)]),
      h("td", {}, [localTime(to, here)]),
      h("td", {}, [age(Date.parse(to) - Date.parse(from))]),
    ]),
  );
  return h("table", {}, [
    h("caption", {}, ["Gaps: to no instant within them"]),
    h("thead", {}, [
      h(
        "tr",
        {},
        ["After", "Before", "Lasts"].map((title) => h("th", { scope: "col" }, [title])),
      ),
    ]),
    h("tbody", {}, rows),
  ]);
}

function archived(backups: ClusterBackups, here: Here): Tree {
  const { archive } = backups;
  if (archive === null) {
    return h("p", {}, [
      "Its logs are not archived: it can be recovered to its backups, and not to an instant between them.",
    ]);
  }
  return h("p", {}, [
    ...(archive.heldTo === null
      ? ["Nothing is archived yet."]
      : ["What was committed up to ", when(archive.heldTo, here), " is archived."]),
    archive.failure === null
      ? null
      : h("strong", { class: "bad" }, [` ✖ It does not go on: ${archive.failure}`]),
  ]);
}

/** As far as it is known: where the gaps are only the store knows. */
export function windowParts(
  { backups }: ShownCluster,
  stored: StoredBackups | null,
  here: Here,
): readonly Child[] {
  if (backups === null) return [h("p", {}, ["Without a backup it cannot be recovered."])];
  const window = stored?.window ?? null;
  if (window !== null && window.from !== null && window.to !== null) {
    const { from, to, gaps } = window;
    const gapMs = gaps.reduce((sum, gap) => sum + Date.parse(gap.to) - Date.parse(gap.from), 0);
    const ends = [from, to].map((instant) => h("span", {}, [localTime(instant, here)]));
    return [
      reach(from, to, gaps.length, gapMs, here),
      bar(window, from, to),
      h("p", { class: "ends faint", "aria-hidden": "true" }, ends),
      gapTable(window, here),
      archived(backups, here),
    ];
  }
  const { from = null, heldTo = null, gapCount = null, gapMs = null } = backups.archive ?? {};
  const isNoted = from !== null && heldTo !== null;
  return [isNoted ? reach(from, heldTo, gapCount ?? 0, gapMs ?? 0, here) : null, archived(backups, here)];
}
