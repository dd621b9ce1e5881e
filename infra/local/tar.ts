/**
 * Writes tar archives of a few entries, the same bytes for the same entries.
 *
 * Only what image layers and image archives need: folders, files from memory, files from disk that
 * are streamed. Times are always zero; names longer than 100 bytes are refused, not cut.
 */

import { createReadStream, statSync } from "node:fs";
import { LocalError } from "./process.ts";

export type TarEntry = {
  readonly name: string;
  readonly mode?: number;
  readonly owner?: number;
} & (
  | { readonly kind: "folder" }
  | { readonly kind: "link"; readonly target: string }
  | { readonly kind: "text"; readonly content: string | Buffer }
  | { readonly kind: "file"; readonly path: string }
);

const block = 512;

export async function* tarOf(entries: readonly TarEntry[]): AsyncGenerator<Buffer> {
  for (const entry of entries) {
    const size = sizeOf(entry);
    yield header(entry, size);
    if (entry.kind === "text") yield Buffer.from(entry.content);
    if (entry.kind === "file") yield* createReadStream(entry.path, { highWaterMark: 1 << 20 });
    yield Buffer.alloc((block - (size % block)) % block);
  }
  yield Buffer.alloc(2 * block);
}

function sizeOf(entry: TarEntry): number {
  if (entry.kind === "text") return Buffer.byteLength(entry.content);
  return entry.kind === "file" ? statSync(entry.path).size : 0;
}

const typeFlags = { folder: "5", link: "2", text: "0", file: "0" } as const;

function header(entry: TarEntry, size: number): Buffer {
  const target = entry.kind === "link" ? entry.target : "";
  if (Buffer.byteLength(entry.name) > 100 || Buffer.byteLength(target) > 100) {
    throw new LocalError(`the name ${entry.name} is too long for a tar archive`);
  }
  const mode = entry.mode ?? (entry.kind === "folder" ? 0o755 : 0o644);
  const head = Buffer.alloc(block);
  head.write(entry.name, 0);
  head.write(octal(mode, 7), 100);
  head.write(octal(entry.owner ?? 0, 7), 108);
  head.write(octal(entry.owner ?? 0, 7), 116);
  head.write(octal(size, 11), 124);
  head.write(octal(0, 11), 136);
  head.write(typeFlags[entry.kind], 156);
  head.write(target, 157);
  head.write("ustar\u000000", 257);
  head.fill(" ", 148, 156);
  const sum = head.reduce((total, byte) => total + byte, 0);
  head.write(`${octal(sum, 6)}\0 `, 148);
  return head;
}

function octal(value: number, width: number): string {
  return value.toString(8).padStart(width, "0");
}
