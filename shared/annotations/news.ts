/**
 * Whether a sentence says anything that the stored one does not. A pass that finds nothing new must find
 * nothing to write, and most sentences hold a number that moves (seconds of lag, transactions to go): such a
 * number is no news. Numbers that change only with the cluster are: instance names, `2 of 3`, an epoch, the
 * count of merged problems; and a percentage is with every tenth, so that a long copy is seen to go on.
 */

/** `mysql-2`, `db1-0`: a word with a letter that ends in a number; a GTID interval or a date has none. */
const INSTANCE = /^(?=.*[a-z]).*-\d+$/;
/** Counts and epochs (kept), percentages (rounded down), and words, whose numbers are masked. */
const WORDS = /(\d+ of (?:the )?\d+|epoch \d+)|(\d+)(?:\.\d+)? ?%|[a-z0-9-]+/g;
const MORE = /^(.*)( \(and \d+ more\))$/su;

interface Gist {
  /** Without the moving numbers: 0.3 s and 4 s give the same. */
  readonly words: string;
  readonly more: string;
  /** The end is missing, and with numbers of another length it would have been cut elsewhere. */
  readonly cut: boolean;
}

function gist(message: string): Gist {
  const [, sentence = message, more = ""] = MORE.exec(message) ?? [];
  const cut = sentence.endsWith("…");
  const masked = sentence
    .replaceAll(WORDS, (word: string, fact?: string, percent?: string) => {
      if (fact !== undefined || INSTANCE.test(word)) return word;
      if (percent !== undefined) return `${Math.floor(Number(percent) / 10)}0 %`;
      return word.replaceAll(/\d+/g, "#");
    })
    .replaceAll(/#(?:[.,:]#)+/g, "#");
  return { words: cut ? masked.replace(/[#.,:]*…$/, "") : masked, more, cut };
}

/** A message that was cut is compared as far as it goes; the stored one stays cut until there is news. */
export function sameNews(stored: string, message: string): boolean {
  if (stored === message) return true;
  const [before, after] = [gist(stored), gist(message)];
  if (before.more !== after.more) return false;
  return (
    before.words === after.words ||
    (before.cut && after.words.startsWith(before.words)) ||
    (after.cut && before.words.startsWith(after.words))
  );
}
