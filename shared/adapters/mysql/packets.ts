/**
 * Cuts what a server sends into packets, whatever the pieces in which it arrives. Nothing is kept or copied but the
 * few bytes of a length that was cut off: a packet may be longer than there is memory for.
 */
const FRAME_BYTES = 4;
/** A packet of this length is continued by the next one. */
const PACKET_BYTES_MAX = 0xff_ff_ff;

export class Packets {
  /** `ends`: the packet is complete with these bytes, of which there may be none. */
  readonly #take: (bytes: Buffer, ends: boolean) => void;
  #frame: Buffer = Buffer.alloc(0);
  /** Of the frame under way; 0 = the next frame begins. */
  #leftBytes = 0;
  #isContinued = false;

  constructor(take: (bytes: Buffer, ends: boolean) => void) {
    this.#take = take;
  }

  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#leftBytes === 0) {
        const missing = FRAME_BYTES - this.#frame.length;
        const begun = chunk.subarray(at, at + missing);
        this.#frame = this.#frame.length === 0 ? begun : Buffer.concat([this.#frame, begun]);
        at += begun.length;
        if (begun.length === missing) this.#begin();
        continue;
      }
      const bytes = chunk.subarray(at, at + this.#leftBytes);
      at += bytes.length;
      this.#leftBytes -= bytes.length;
      this.#take(bytes, this.#leftBytes === 0 && !this.#isContinued);
    }
  }

  #begin(): void {
    this.#leftBytes = this.#frame.readUIntLE(0, 3);
    this.#isContinued = this.#leftBytes === PACKET_BYTES_MAX;
    this.#frame = Buffer.alloc(0);
    if (this.#leftBytes === 0) this.#take(this.#frame, true);
  }
}
