/**
 * Cuts what a server sends into packets, whatever the pieces in which it arrives. Bytes are joined once and
 * not with every piece, because a packet may be long. How long it may get is watched by whoever feeds it.
 */
const FRAME_BYTES = 4;
/** A packet of this length is continued by the next one. */
const PACKET_BYTES_MAX = 0xff_ff_ff;

export class Packets {
  readonly #take: (packet: Buffer) => void;
  #chunks: Buffer[] = [];
  #chunkBytes = 0;
  #wantedBytes = FRAME_BYTES;
  #parts: Buffer[] = [];

  constructor(take: (packet: Buffer) => void) {
    this.#take = take;
  }

  /** Of a packet that is not complete yet. */
  get waitingBytes(): number {
    return this.#parts.reduce((sum, { length }) => sum + length, this.#chunkBytes);
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#chunkBytes += chunk.length;
    if (this.#chunkBytes < this.#wantedBytes) return;
    const bytes = Buffer.concat(this.#chunks);
    let at = 0;
    for (;;) {
      const left = bytes.length - at;
      const length = left < FRAME_BYTES ? 0 : bytes.readUIntLE(at, 3);
      this.#wantedBytes = FRAME_BYTES + length;
      if (left < this.#wantedBytes) break;
      this.#parts.push(bytes.subarray(at + FRAME_BYTES, at + FRAME_BYTES + length));
      at += FRAME_BYTES + length;
      if (length === PACKET_BYTES_MAX) continue;
      const packet = this.#parts.length === 1 ? this.#parts[0] : Buffer.concat(this.#parts);
      this.#parts = [];
      if (packet !== undefined) this.#take(packet);
    }
    this.#chunks = [bytes.subarray(at)];
    this.#chunkBytes = bytes.length - at;
  }
}
