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
  return through(inPieces(source, PIECE_BYTES), zstd, (error) => {
    throw error;
  });
}

export function decompressed(source: Bytes): Bytes {
  return through(source, createZstdDecompress({ chunkSize: PIECE_BYTES }), (cause) =>
    unusable("it cannot be decompressed", { cause }),
  );
}
