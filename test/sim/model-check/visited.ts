/**
 * The states that were found, each once, in the order in which they were found: the set and the queue of the search
 * in one. Whole states are kept, not digests, so none is ever mistaken for another.
 */
import type { Row } from "./cells.ts";

const CHUNK_ROWS = 1 << 16;
const EMPTY = 0xffffffff;

function digest(row: Row): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < row.length; at++) hash = Math.imul(hash ^ (row[at] ?? 0), 0x01000193);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}

export class Visited {
  readonly #size: number;
  readonly #rows: Uint8Array[] = [];
  readonly #parents: Uint32Array[] = [];
  #slots = new Uint32Array(1 << 16).fill(EMPTY);
  count = 0;

  constructor(size: number) {
    this.#size = size;
  }

  at(index: number): Row {
    const start = (index % CHUNK_ROWS) * this.#size;
    return this.#chunk(index).subarray(start, start + this.#size);
  }

  parentOf(index: number): number {
    return this.#parents[Math.floor(index / CHUNK_ROWS)]?.[index % CHUNK_ROWS] ?? 0;
  }

  /** Adds a state that is not there yet. Returns its index, or -1 when it was there. */
  add(row: Row, parent: number): number {
    if (this.count * 2 > this.#slots.length) this.#grow();
    const slot = this.#slotOf(row);
    if (this.#slots[slot] !== EMPTY) return -1;
    const index = this.count;
    if (index % CHUNK_ROWS === 0) {
      this.#rows.push(new Uint8Array(CHUNK_ROWS * this.#size));
      this.#parents.push(new Uint32Array(CHUNK_ROWS));
    }
    this.#chunk(index).set(row, (index % CHUNK_ROWS) * this.#size);
    const parents = this.#parents[Math.floor(index / CHUNK_ROWS)];
    if (parents !== undefined) parents[index % CHUNK_ROWS] = parent;
    this.#slots[slot] = index;
    this.count = index + 1;
    return index;
  }

  #chunk(index: number): Uint8Array {
    const chunk = this.#rows[Math.floor(index / CHUNK_ROWS)];
    if (chunk === undefined) throw new Error(`there is no state ${index}`);
    return chunk;
  }

  /** Where this state is, or the free slot where it belongs. */
  #slotOf(row: Row): number {
    const mask = this.#slots.length - 1;
    let slot = digest(row) & mask;
    for (;;) {
      const index = this.#slots[slot] ?? EMPTY;
      if (index === EMPTY || this.#equals(index, row)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #equals(index: number, row: Row): boolean {
    const chunk = this.#chunk(index);
    const start = (index % CHUNK_ROWS) * this.#size;
    for (let at = 0; at < row.length; at++) if (chunk[start + at] !== row[at]) return false;
    return true;
  }

  #grow(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2).fill(EMPTY);
    const mask = this.#slots.length - 1;
    for (let index = 0; index < this.count; index++) {
      let slot = digest(this.at(index)) & mask;
      while (this.#slots[slot] !== EMPTY) slot = (slot + 1) & mask;
      this.#slots[slot] = index;
    }
  }
}
