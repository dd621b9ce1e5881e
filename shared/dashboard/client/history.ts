/** What was decided, newest first, with its reason and what was considered. */
import type { ShownCluster } from "../../model/answers.ts";
import { EVENT_REASONS } from "../../model/event-reason.ts";
import { type Here, localTime } from "../../model/format.ts";
import type { Tone } from "../../model/summary.ts";
import { type Child, h, type Tree } from "./dom.ts";
import { mark, when } from "./words.ts";

type Entry = ShownCluster["history"][number];

/** How many are shown before somebody asks for all. */
const FIRST = 8;

function toneOf(reason: string): Tone {
  const kinds: Readonly<Record<string, string>> = EVENT_REASONS;
  return kinds[reason] === "Warning" ? "attention" : "good";
}

function item(entry: Entry, before: Entry | undefined, here: Here): Tree {
  const { at, epoch, reason, why, considered } = entry;
  const from = before?.epoch ?? epoch;
  const number = from === epoch ? `epoch ${epoch}` : `epoch ${from} → ${epoch}`;
  return h(
    "li",
    {},
    [
      h("p", {}, [
        mark(toneOf(reason)),
        " ",
        h("strong", {}, [reason]),
        h("span", { class: "faint" }, [` ${number} · ${localTime(at, here)} · `, when(at, here)]),
      ]),
      h("p", {}, [why]),
      considered.length === 0
        ? null
        : h("details", {}, [
            h("summary", {}, [`What was considered (${considered.length})`]),
            h(
              "ul",
              {},
              considered.map((line) => h("li", {}, [line])),
            ),
          ]),
    ],
    { key: `${at} ${reason} ${why}` },
  );
}

export function timeline({ history }: ShownCluster, here: Here): readonly Child[] {
  if (history.length === 0) return [h("p", {}, ["Nothing has been decided yet."])];
  const items = history.map((entry, index) => item(entry, history[index - 1], here)).toReversed();
  const rest = items.slice(FIRST);
  return [
    h("ol", { class: "timeline", reversed: true }, items.slice(0, FIRST)),
    rest.length === 0
      ? null
      : h("details", { class: "more" }, [
          h("summary", {}, [`${rest.length} before that`]),
          h("ol", { class: "timeline", reversed: true }, rest),
        ]),
  ];
}
