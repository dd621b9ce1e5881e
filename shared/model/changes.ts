/** Texts by key, as labels, annotations and settings are, and changes of them. */

/** Keys to set, or to take away with null. Keys that are not named stay as they are. */
export type Changes = Readonly<Record<string, string | null>>;

/** What is there once the changes were made. */
export function withChanges(before: Changes, changes: Changes): Readonly<Record<string, string>> {
  const all = Object.entries({ ...before, ...changes });
  return Object.fromEntries(all.filter((entry): entry is [string, string] => entry[1] !== null));
}
