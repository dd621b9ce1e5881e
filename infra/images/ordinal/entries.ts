/** The entries of a layer in the one order that they always have, each after the folders that it is in. */
import { dirname } from "node:path";
import type { TarEntry } from "../../local/tar.ts";

export function sorted(files: readonly TarEntry[]): readonly TarEntry[] {
  const folders = new Set(files.flatMap(({ name }) => foldersOf(name)));
  const all: TarEntry[] = [...files, ...[...folders].map((name): TarEntry => ({ kind: "folder", name }))];
  return all.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function foldersOf(name: string): readonly string[] {
  const folder = dirname(name);
  return folder === "." ? [] : [...foldersOf(folder), `${folder}/`];
}
