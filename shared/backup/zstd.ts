/**
 * Compression with zstd, which Node brings and runs in threads of its own. Bytes come and go in large pieces:
 * every piece is a way to another thread and back, and with small ones these ways cost more than the compression.
 */
import { constants, createZstdCompress, createZstdDecompress } from "node:zlib";
import { type Bytes, inPieces, through, unusable } from "./flow.ts";

const PIECE_BYTES = 256 * 1024;
/** See docs/adr/0021-slices-of-a-backup.md for the figures. */
const LEVEL = 1;

export function compressed(source: Bytes): Bytes {
  const zstd = createZstdCompress({
    chunkSize: PIECE_BYTES,
    params: { [constants.ZSTD_c_compressionLevel]: LEVEL },
  });
  const pieces = through(inPieces(source, PIECE_BYTES), zstd, (error) => {
    throw error;
  });
  return reclaimed(pieces);
}

export function decompressed(source: Bytes): Bytes {
  const zstd = createZstdDecompress({ chunkSize: PIECE_BYTES });
  return reclaimed(
    through(inPieces(source, PIECE_BYTES), zstd, (cause) => unusable("it cannot be decompressed", { cause })),
  );
}

/**
 * Gives the memory of a piece back when the next one is asked for. zstd takes new memory for each PIECE_BYTES that come
 * out of it, and waiting for the garbage collector to find them took half of the time that reading a backup did.
 */
async function* reclaimed(pieces: Bytes): Bytes {
  let before: ArrayBufferLike | null = null;
  for await (const piece of pieces) {
    // Two pieces may lie in the same memory, one behind the other; what is smaller may be shared with somebody else.
    if (before !== null && before !== piece.buffer) giveBack(before);
    before = piece.buffer;
    yield piece;
  }
}

function giveBack(memory: ArrayBufferLike): void {
  if (memory instanceof ArrayBuffer && memory.byteLength === PIECE_BYTES) memory.transfer(0);
}
