/** GTID sets of the simulated servers. On purpose not the code under test: one number after the other. */

export interface Gtid {
  readonly uuid: string;
  readonly number: number;
}

export class Gtids {
  readonly #numbers = new Map<string, Set<number>>();

  static parse(text: string): Gtids {
    const gtids = new Gtids();
    for (const part of text.split(",").map((piece) => piece.trim())) {
      const [uuid = "", ...intervals] = part.split(":");
      for (const interval of intervals) {
        const [first = 0, last = first] = interval.split("-").map(Number);
        for (let number = first; number <= last; number += 1) gtids.add({ uuid, number });
      }
    }
    return gtids;
  }

  add({ uuid, number }: Gtid): void {
    const numbers = this.#numbers.get(uuid) ?? new Set();
    this.#numbers.set(uuid, numbers.add(number));
  }

  has({ uuid, number }: Gtid): boolean {
    return this.#numbers.get(uuid)?.has(number) ?? false;
  }

  /** The part that this server began. */
  of(uuid: string): Gtids {
    const part = new Gtids();
    for (const number of this.#numbers.get(uuid) ?? []) part.add({ uuid, number });
    return part;
  }

  contains(part: Gtids): boolean {
    return [...part.#numbers].every(([uuid, numbers]) =>
      [...numbers].every((number) => this.has({ uuid, number })),
    );
  }

  /** The next free number of this server. */
  next(uuid: string): number {
    let number = (this.#numbers.get(uuid)?.size ?? 0) + 1;
    while (this.has({ uuid, number })) number += 1;
    return number;
  }

  copy(): Gtids {
    const copied = new Gtids();
    for (const [uuid, numbers] of this.#numbers) copied.#numbers.set(uuid, new Set(numbers));
    return copied;
  }

  /** As the server prints it. */
  print(): string {
    return [...this.#numbers]
      .filter(([, numbers]) => numbers.size > 0)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([uuid, numbers]) => `${uuid}${intervalsOf(numbers)}`)
      .join(",\n");
  }
}

function intervalsOf(numbers: ReadonlySet<number>): string {
  let text = "";
  let first = 0;
  let last = 0;
  const close = (): void => {
    if (first > 0) text += first === last ? `:${first}` : `:${first}-${last}`;
  };
  for (const number of [...numbers].sort((a, b) => a - b)) {
    if (number === last + 1 && first > 0) last = number;
    else {
      close();
      first = number;
      last = number;
    }
  }
  close();
  return text;
}

/** The set without the newest `count` transactions of its only server. */
export function withoutNewest(set: Gtids, uuid: string, count: number): Gtids {
  const last = set.next(uuid) - 1;
  const kept = new Gtids();
  for (let number = 1; number <= last - count; number += 1) kept.add({ uuid, number });
  return kept;
}
