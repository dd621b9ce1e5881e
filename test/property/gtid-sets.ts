/**
 * GTID sets for tests, written as carelessly as a person or an old server might: in any order, overlapping,
 * with spaces, new lines, capital letters and empty parts. Few numbers and origins, so that sets really meet.
 */
import fc from "fast-check";

const UUIDS = [
  "3e11fa47-71ca-11e1-9e33-c80aa9429562",
  "2e11fa47-71ca-11e1-9e33-c80aa9429562",
  "ffffffff-71ca-11e1-9e33-c80aa9429562",
];
const TAGS = ["", "", "", "a", "_x", "tag_1", "zz"];

/** All transactions of a set, one by one: slow and plainly right. */
export type Naive = ReadonlySet<string>;

export interface Sample {
  readonly text: string;
  readonly naive: Naive;
}

const piece = fc.record({
  uuid: fc.constantFrom(...UUIDS),
  tag: fc.constantFrom(...TAGS),
  start: fc.integer({ min: 1, max: 40 }),
  length: fc.constantFrom(1, 1, 2, 3, 10),
  space: fc.constantFrom("", "", " ", "\n"),
  shout: fc.boolean(),
});

export const samples: fc.Arbitrary<Sample> = fc.array(piece, { maxLength: 14 }).map((pieces) => {
  const naive = new Set<string>();
  const parts = pieces.map(({ uuid, tag, start, length, space, shout }) => {
    const origin = tag === "" ? uuid : `${uuid}:${tag}`;
    for (let n = start; n < start + length; n++) naive.add(`${origin}:${n}`);
    const interval = length === 1 ? `${start}` : `${start}${space}-${start + length - 1}`;
    const text = `${origin}${space}:${interval}${space}`;
    return shout ? text.toUpperCase() : text;
  });
  return { text: parts.join(pieces.length > 7 ? ",,\n" : ","), naive };
});

/** All transactions of a canonical text of small numbers. */
export function expand(text: string): Naive {
  const all = new Set<string>();
  for (const server of text.split(",\n").filter((part) => part !== "")) {
    const [uuid = "", ...fields] = server.split(":");
    let origin = uuid;
    for (const field of fields) {
      const [from = "", to = from] = field.split("-");
      if (/^\d+$/.test(from)) for (let n = Number(from); n <= Number(to); n++) all.add(`${origin}:${n}`);
      else origin = `${uuid}:${field}`;
    }
  }
  return all;
}
