/** A ZIP file (APPNOTE 6.3) of a few small files, with the same bytes for the same content: no times, no owners. */
import { crc32, deflateRawSync } from "node:zlib";

/** 1980-01-01, the oldest day that the format knows. */
const DAY = 0x21;
const DEFLATED = 8;
const VERSION = 20;
/** Made on Unix, and an ordinary file that everybody may read: Lambda runs the code as another user. */
const MADE_BY = (3 << 8) | VERSION;
const MODE = 0o100644;

interface Entry {
  readonly name: Buffer;
  readonly packed: Buffer;
  readonly crc: number;
  readonly bytes: number;
  readonly at: number;
}

/** What the local and the central header have in common. */
function common({ name, packed, crc, bytes }: Entry): Buffer {
  const part = Buffer.alloc(26);
  part.writeUInt16LE(VERSION, 0);
  part.writeUInt16LE(DEFLATED, 4);
  part.writeUInt16LE(DAY, 8);
  part.writeUInt32LE(crc, 10);
  part.writeUInt32LE(packed.length, 14);
  part.writeUInt32LE(bytes, 18);
  part.writeUInt16LE(name.length, 22);
  return part;
}

function central(entry: Entry): Buffer {
  const head = Buffer.alloc(6);
  head.writeUInt32LE(0x02014b50, 0);
  head.writeUInt16LE(MADE_BY, 4);
  const tail = Buffer.alloc(14);
  tail.writeUInt32LE(MODE * 0x10000, 6);
  tail.writeUInt32LE(entry.at, 10);
  return Buffer.concat([head, common(entry), tail, entry.name]);
}

export function zip(files: ReadonlyMap<string, Uint8Array>): Buffer {
  const locals: Buffer[] = [];
  const entries: Entry[] = [];
  let at = 0;
  for (const [path, content] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const packed = deflateRawSync(content, { level: 9 });
    const entry = { name: Buffer.from(path), packed, crc: crc32(content), bytes: content.length, at };
    const signature = Buffer.from("PK\u0003\u0004", "latin1");
    const local = Buffer.concat([signature, common(entry), entry.name, packed]);
    locals.push(local);
    entries.push(entry);
    at += local.length;
  }
  const directory = Buffer.concat(entries.map(central));
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...locals, directory, end]);
}
