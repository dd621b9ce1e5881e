/** Which known word somebody probably meant. Pure; used for hints in messages only, never to decide. */

/** Words longer than this are not typing mistakes, and comparing them would cost time for nothing. */
const LENGTH_MAX = 64;

/** Letters to insert, drop or replace to get from one word to the other (Levenshtein, two rows). */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let i = 0; i < from.length; i += 1) {
    const next = [i + 1];
    for (let j = 0; j < to.length; j += 1) {
      const replaced = (row[j] ?? 0) + (from[i] === to[j] ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

/** Closest first; only those within a third of the word's length (at least two letters). Case is ignored. */
export function nearest(word: string, candidates: readonly string[]): readonly string[] {
  if (word.length > LENGTH_MAX) return [];
  const allowed = Math.max(2, Math.floor(word.length / 3));
  return candidates
    .filter((candidate) => Math.abs(candidate.length - word.length) <= allowed)
    .map((candidate) => ({ candidate, letters: distance(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, letters }) => letters <= allowed && letters < candidate.length)
    .sort((a, b) => a.letters - b.letters)
    .map(({ candidate }) => candidate);
}
