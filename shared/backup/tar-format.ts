/**
 * Headers of tar archives as POSIX has them (ustar, with pax records for what does not fit): folders and ordinary
 * files, which is all that a data directory is made of. Anything else is refused on both ways. A link in an
 * archive is how a file gets to where it was not meant to go.
 */
import { unusable } from "./flow.ts";

export const BLOCK_BYTES = 512;

export interface TarEntry {
  readonly kind: "file" | "folder";
  /** Relative to the folder that was packed, with slashes, neither at the beginning nor at the end. */
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Zero for a folder. */
  readonly size: number;
  /** Seconds since 1970. */
  readonly modifiedAt: number;
}

/** Where each field stands in a header: offset and length. */
const FIELD = {
  path: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  modifiedAt: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  link: [157, 100],
  magic: [257, 6],
  prefix: [345, 155],
} as const;

type Field = keyof typeof FIELD;

/** The header blocks of an entry; its bytes follow, then `paddingOf` them. */
export function encodeEntry(entry: TarEntry): Uint8Array {
  const path = entry.kind === "folder" ? `${entry.path}/` : entry.path;
  const numbers = { uid: entry.uid, gid: entry.gid, size: entry.size, mtime: entry.modifiedAt } as const;
  const records = [
    ...(fitsPath(path) ? [] : [["path", path] as const]),
    ...Object.entries(numbers)
      .filter(([name, value]) => !fitsNumber(name === "mtime" ? "modifiedAt" : (name as Field), value))
      .map(([name, value]) => [name, String(value)] as const),
  ];
  const plain = header(entry, path, entry.kind === "folder" ? "5" : "0");
  if (records.length === 0) return plain;
  const body = Buffer.concat(records.map(([name, value]) => paxRecord(name, value)));
  const described = { ...entry, mode: 0o644, size: body.length };
  return Buffer.concat([header(described, "pax", "x"), body, paddingOf(body.length), plain]);
}

/** Two empty blocks end an archive. */
export const END_OF_ARCHIVE: Uint8Array = new Uint8Array(2 * BLOCK_BYTES);

export function paddingOf(size: number): Uint8Array {
  return new Uint8Array((BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES);
}

const isAscii = (text: string): boolean => /^[\x20-\x7e]*$/.test(text);

const fitsPath = (path: string): boolean => isAscii(path) && path.length <= FIELD.path[1];

/** Octal digits, and one byte that ends them. */
const fitsNumber = (field: Field, value: number): boolean =>
  value.toString(8).length < FIELD[field][1] && value >= 0;

function header(entry: TarEntry, path: string, type: string): Uint8Array {
  const block = Buffer.alloc(BLOCK_BYTES);
  const put = (field: Field, text: string) => block.write(text, FIELD[field][0], FIELD[field][1], "latin1");
  const putNumber = (field: Field, value: number) => {
    const width = FIELD[field][1] - 1;
    put(field, (fitsNumber(field, value) ? value : 0).toString(8).padStart(width, "0"));
  };
  put("path", fitsPath(path) ? path : "see-pax-header");
  putNumber("mode", entry.mode & 0o7777);
  putNumber("uid", entry.uid);
  putNumber("gid", entry.gid);
  putNumber("size", entry.size);
  putNumber("modifiedAt", entry.modifiedAt);
  put("type", type);
  block.write("ustar\u000000", FIELD.magic[0], "latin1");
  put("checksum", `${checksumOf(block).toString(8).padStart(6, "0")}\0 `);
  return block;
}

/** Its own length, which counts the digits of that length as well, then name and value. */
function paxRecord(name: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${name}=${value}\n`);
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length += 1;
  return Buffer.from(`${length} ${name}=${value}\n`);
}

/** The sum of all bytes, those of the checksum itself counted as spaces. */
function checksumOf(block: Uint8Array): number {
  const [start, length] = FIELD.checksum;
  return block.reduce((sum, byte, at) => sum + (at >= start && at < start + length ? 32 : byte), 0);
}

export type RawHeader =
  | { readonly kind: "end" }
  | { readonly kind: "pax"; readonly size: number }
  | { readonly kind: "entry"; readonly entry: TarEntry };

/** Reads one block; `pax` are the records that came before it. Throws `BrokenStream` on anything else. */
export function decodeHeader(block: Uint8Array, pax: ReadonlyMap<string, string>): RawHeader {
  if (block.length < BLOCK_BYTES) throw unusable("the archive is cut off");
  if (block.every((byte) => byte === 0)) return { kind: "end" };
  const bytes = Buffer.from(block.buffer, block.byteOffset, block.length);
  const text = (field: Field) => {
    const [start, length] = FIELD[field];
    return bytes.toString("latin1", start, start + length).replace(/\0.*$/s, "");
  };
  const number = (field: Field) => octal(text(field));
  if (number("checksum") !== checksumOf(block)) throw unusable("a header of the archive is damaged");
  const type = text("type");
  if (type === "x") return { kind: "pax", size: number("size") };
  if (type !== "0" && type !== "" && type !== "5") {
    throw unusable("the archive holds something that is neither a file nor a folder");
  }
  const prefix = text("prefix");
  const path = pax.get("path") ?? (prefix === "" ? text("path") : `${prefix}/${text("path")}`);
  const isFolder = type === "5";
  const size = numberOf(pax.get("size")) ?? number("size");
  return {
    kind: "entry",
    entry: {
      kind: isFolder ? "folder" : "file",
      path: safePath(isFolder ? path.replace(/\/$/, "") : path),
      mode: number("mode") & 0o777,
      uid: numberOf(pax.get("uid")) ?? number("uid"),
      gid: numberOf(pax.get("gid")) ?? number("gid"),
      size: isFolder ? 0 : size,
      modifiedAt: numberOf(pax.get("mtime")) ?? number("modifiedAt"),
    },
  };
}

const RECORDS: ReadonlySet<string> = new Set(["path", "size", "uid", "gid", "mtime"]);

/** Unknown records are refused: one of them may say that the entry is a sparse file. */
export function decodePax(body: Uint8Array): ReadonlyMap<string, string> {
  const records = new Map<string, string>();
  for (let rest = Buffer.from(body); rest.length > 0; ) {
    const [, digits, name] = /^(\d{1,9}) ([A-Za-z.]+)=/.exec(rest.toString("latin1", 0, 64)) ?? [];
    const length = Number(digits);
    if (name === undefined || length > rest.length || rest[length - 1] !== 10 || !RECORDS.has(name)) {
      throw unusable("the archive describes a file in a way that is not known");
    }
    const value = rest.subarray(String(digits).length + name.length + 2, length - 1);
    records.set(name, value.toString("utf8"));
    rest = rest.subarray(length);
  }
  return records;
}

function octal(text: string): number {
  const digits = text.trim();
  if (!/^[0-7]*$/.test(digits)) throw unusable("a number in the archive is none");
  return digits === "" ? 0 : Number.parseInt(digits, 8);
}

function numberOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Math.floor(Number(text));
  const isNumber = /^\d{1,16}(?:\.\d{1,9})?$/.test(text) && Number.isSafeInteger(value);
  if (!isNumber) throw unusable("a number in the archive is none");
  return value;
}

const COMPONENT_BYTES_MAX = 255;

/** As it is, or not at all: a path that has to be corrected was made by somebody with an aim. */
function safePath(path: string): string {
  const parts = path.split("/");
  const isSafe = (part: string) =>
    part !== "" && part !== "." && part !== ".." && Buffer.byteLength(part) <= COMPONENT_BYTES_MAX;
  const isClean = !/[\p{Cc}\ufffd]/u.test(path) && parts.every(isSafe);
  if (!isClean) throw unusable("the archive holds a path that leads out of its folder or is none");
  return path;
}
