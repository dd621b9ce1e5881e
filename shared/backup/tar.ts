/**
 * Packs a folder into a tar archive and unpacks it. What is packed must not change meanwhile: a file that has
 * another size than when it was begun makes the archive fail. What is unpacked goes into a folder that is empty,
 * and only ever creates what was not there.
 */
import { constants, type Stats } from "node:fs";
import { type FileHandle, lstat, mkdir, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { BrokenStream } from "../model/broken-stream.ts";
import { type ByteReader, type Bytes, createByteReader, unusable } from "./flow.ts";
import {
  BLOCK_BYTES,
  decodeHeader,
  decodePax,
  END_OF_ARCHIVE,
  encodeEntry,
  paddingOf,
  type TarEntry,
} from "./tar-format.ts";

const READ_BYTES = 512 * 1024;
const PAX_BYTES_MAX = 64 * 1024;
const DEPTH_MAX = 64;

/** All of `folder`, in the order of names; a piece is good until the next one is asked for. Throws `BrokenStream` on links, devices and files that change. */
export async function* packFolder(folder: string): Bytes {
  try {
    yield* packInto({ root: folder, buffer: Buffer.allocUnsafeSlow(READ_BYTES) }, "", 0);
  } catch (error) {
    throw onDisk(error);
  }
  yield END_OF_ARCHIVE;
}

/** What is packed, and the memory in which all of it is read: fresh memory would lie around until it is collected. */
interface Packing {
  readonly root: string;
  readonly buffer: Buffer;
}

async function* packInto(packing: Packing, inside: string, depth: number): Bytes {
  const { root, buffer } = packing;
  if (depth > DEPTH_MAX) throw unusable(`${inside} is in more than ${DEPTH_MAX} folders`);
  for (const name of (await readdir(join(root, inside))).sort()) {
    const path = inside === "" ? name : `${inside}/${name}`;
    const found = await lstat(join(root, path));
    if (found.isDirectory()) {
      yield encodeEntry(entryOf(path, found, "folder"));
      yield* packInto(packing, path, depth + 1);
    } else if (found.isFile()) {
      yield* packFile(join(root, path), entryOf(path, found, "file"), buffer);
    } else if (!found.isSocket() && !found.isFIFO()) {
      throw unusable(`${path} is neither a file nor a folder, and a backup would not hold what it leads to`);
    }
    // Sockets and pipes belong to the process that listens there, and hold nothing.
  }
}

function entryOf(path: string, found: Stats, kind: TarEntry["kind"]): TarEntry {
  const { mode, uid, gid, mtimeMs, size } = found;
  const modifiedAt = Math.max(0, Math.floor(mtimeMs / 1000));
  return { kind, path, mode: mode & 0o777, uid, gid, modifiedAt, size: kind === "file" ? size : 0 };
}

async function* packFile(file: string, entry: TarEntry, buffer: Buffer): Bytes {
  yield encodeEntry(entry);
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    let left = entry.size;
    while (left > 0) {
      const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, left));
      if (bytesRead === 0) throw changed(entry);
      left -= bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
    if ((await handle.stat()).size !== entry.size) throw changed(entry);
  } finally {
    await handle.close();
  }
  yield paddingOf(entry.size);
}

const changed = ({ path }: TarEntry) => unusable(`the file ${path} changed while it was packed`);

/**
 * Into `folder`, which is there and empty. Owners are left to whoever unpacks. Throws `BrokenStream`; what was
 * unpacked until then is good for nothing.
 */
export async function unpackInto(folder: string, source: Bytes): Promise<void> {
  if ((await readdir(folder)).length > 0) throw unusable(`the folder ${folder} is not empty`);
  const reader = createByteReader(source);
  try {
    for (let entry = await nextEntry(reader); entry !== null; entry = await nextEntry(reader)) {
      const path = join(folder, entry.path);
      // Writable for us, or nothing could be put into it.
      if (entry.kind === "folder") await once(entry, () => mkdir(path, entry.mode | 0o700));
      else await unpackFile(reader, path, entry);
    }
    await expectNothing(reader);
  } catch (error) {
    throw onDisk(error);
  } finally {
    await reader.close();
  }
}

/** What the system says of a disk that is full, broken or not ours to write to: no fault of the archive. */
function onDisk(error: unknown): unknown {
  const isSystems = error instanceof Error && "syscall" in error;
  if (!isSystems) return error;
  const message = `the disk does not let us: ${error.message}`;
  return new BrokenStream({ kind: "transient", message }, { cause: error });
}

async function nextEntry(reader: ByteReader): Promise<TarEntry | null> {
  let pax: ReadonlyMap<string, string> = new Map();
  for (;;) {
    const header = decodeHeader(await reader.exactly(BLOCK_BYTES), pax);
    if (header.kind === "end") return null;
    if (header.kind === "entry") return header.entry;
    if (header.size > PAX_BYTES_MAX || pax.size > 0) throw unusable("the archive describes a file for ever");
    pax = decodePax(await reader.exactly(header.size));
    await skipPadding(reader, header.size);
  }
}

async function unpackFile(reader: ByteReader, path: string, entry: TarEntry): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const handle = await once(entry, () => open(path, flags, entry.mode | 0o200));
  try {
    await copyInto(handle, reader, entry);
    await handle.utimes(entry.modifiedAt, entry.modifiedAt);
  } finally {
    await handle.close();
  }
}

async function copyInto(handle: FileHandle, reader: ByteReader, entry: TarEntry): Promise<void> {
  let written = 0;
  for await (const chunk of reader.next(entry.size)) {
    await handle.writeFile(chunk);
    written += chunk.length;
  }
  if (written < entry.size) throw unusable(`the archive is cut off in ${entry.path}`);
  await skipPadding(reader, entry.size);
}

async function skipPadding(reader: ByteReader, size: number): Promise<void> {
  const padding = paddingOf(size).length;
  if ((await reader.exactly(padding)).length < padding) throw unusable("the archive is cut off");
}

/** Nothing may be there yet: the same name twice, or a folder that never came, is no archive of ours. */
async function once<T>(entry: TarEntry, make: () => Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : "";
    if (code === "EEXIST") throw unusable(`the archive holds ${entry.path} twice`, { cause });
    if (code === "ENOENT" || code === "ENOTDIR") {
      throw unusable(`the archive holds ${entry.path} without its folder`, { cause });
    }
    throw cause;
  }
}

/** The rest of the last block, as tar pads it, is zero. */
async function expectNothing(reader: ByteReader): Promise<void> {
  for (let rest = await reader.some(READ_BYTES); rest !== null; rest = await reader.some(READ_BYTES)) {
    if (rest.some((byte) => byte !== 0)) throw unusable("the archive goes on after its end");
  }
}
