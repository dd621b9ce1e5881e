/** Marks and small pieces that every part of the page has: each mark is a shape and a word, so that no colour is needed. */
import { awayFrom, type Here, localTime } from "../../model/format.ts";
import type { Tone } from "../../model/summary.ts";
import { type Child, h, type Tree } from "./dom.ts";

const MARKS: Readonly<Record<Tone, string>> = { good: "✔", attention: "▲", bad: "✖" };

/** The shape is for the eye: the words beside it say the same. */
export function mark(tone: Tone): Tree {
  return h("span", { class: `mark ${tone}`, "aria-hidden": "true" }, [MARKS[tone]]);
}

/** How long ago, with the instant itself at hand. */
export function when(instant: string, here: Here): Tree {
  return h("time", { datetime: instant, title: localTime(instant, here) }, [awayFrom(instant, here)]);
}

/** Texts in backquotes are commands, names and keys. */
export function prose(text: string): readonly Child[] {
  return text.split("`").map((part, index) => (index % 2 === 0 ? part : h("code", {}, [part])));
}

/** From 0 to 1; null = it goes on, and nobody can say how far it is. */
export function bar(label: string, share: number | null): Tree {
  return h("progress", { "aria-label": label, value: share === null ? null : share.toFixed(3) });
}

/** Read out, not seen. */
export function unseen(text: string): Tree {
  return h("span", { class: "unseen" }, [text]);
}

export function section(id: string, title: string, children: readonly Child[]): Tree {
  return h("section", { "aria-labelledby": id }, [h("h2", { id }, [title]), ...children], { key: id });
}
