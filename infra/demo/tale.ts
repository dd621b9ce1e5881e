/**
 * Tells the demo while it happens: a live timeline on standard error, and for each step whether it held, how
 * long it took and what was looked at. Standard output stays free for the answer that programs read.
 */
import { Unmet } from "../../test/support/wait.ts";

export interface Chapter {
  readonly name: string;
  readonly ok: boolean;
  readonly ms: number;
  /** What was checked, or why it did not hold: one sentence. */
  readonly finding: string;
}

export interface Tale {
  /** Who: `demo`, `ordinal`, `writer`. `at` is an instant of performance.now; absent = now. */
  say(who: string, text: string, at?: number): void;
  /** Runs one step. `found` gives the sentence for the final table. Throws on what `run` throws. */
  chapter<T>(name: string, title: string, run: (found: (sentence: string) => void) => Promise<T>): Promise<T>;
  readonly chapters: readonly Chapter[];
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** One sentence for a person; a bug keeps its stack, since nobody could find it otherwise. */
export function sentenceOf(error: unknown): string {
  if (error instanceof Unmet) return error.message;
  if (!(error instanceof Error)) return String(error);
  const isBug = error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
  return isBug ? (error.stack ?? error.message) : error.message;
}

export function createTale(write: (line: string) => void): Tale {
  const startedAt = performance.now();
  const chapters: Chapter[] = [];
  const say: Tale["say"] = (who, text, at = performance.now()) => {
    write(`${seconds(Math.max(0, at - startedAt)).padStart(8)}  ${who.padEnd(8)} ${text}\n`);
  };
  return {
    say,
    chapters,
    async chapter(name, title, run) {
      say("demo", `── ${title}`);
      const beganAt = performance.now();
      let finding = "";
      const done = (ok: boolean) =>
        chapters.push({ name, ok, ms: Math.round(performance.now() - beganAt), finding });
      try {
        const value = await run((sentence) => {
          finding = sentence;
        });
        say("demo", `✔ ${finding}`);
        done(true);
        return value;
      } catch (error) {
        finding = sentenceOf(error);
        done(false);
        throw error;
      }
    },
  };
}

export function table(chapters: readonly Chapter[]): string {
  const width = Math.max(...chapters.map(({ name }) => name.length));
  return chapters
    .map(({ name, ok, ms, finding }) => {
      const [first = ""] = finding.split("\n");
      return `${ok ? "✔" : "✘"} ${name.padEnd(width)}  ${seconds(ms).padStart(8)}  ${first}`;
    })
    .join("\n");
}
