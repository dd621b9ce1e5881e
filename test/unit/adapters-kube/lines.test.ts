/** Lines from bytes, wherever the bytes are cut. */
import { expect, test } from "vitest";
import { linesOf } from "../../../shared/adapters/kube/lines.ts";

async function* each(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* chunks;
}

async function collect(chunks: readonly Buffer[], bytesMax = 1000): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of linesOf(each(chunks), bytesMax)) lines.push(line);
  return lines;
}

const WHOLE = Buffer.from("a\nβ密🔑\n\nlast\n");

test("lines do not depend on where chunks end", async () => {
  for (let first = 0; first <= WHOLE.length; first += 1) {
    for (let second = first; second <= WHOLE.length; second += 1) {
      const chunks = [WHOLE.subarray(0, first), WHOLE.subarray(first, second), WHOLE.subarray(second)];
      expect(await collect(chunks)).toEqual(["a", "β密🔑", "", "last"]);
    }
  }
});

test("what was cut off is dropped", async () => {
  expect(await collect([Buffer.from('{"a":1}\n{"a":')])).toEqual(['{"a":1}']);
});

test("a line beyond the bound is an error, many short ones are not", async () => {
  const short = Array.from({ length: 20 }, () => Buffer.from("1234567\n"));
  expect(await collect(short, 8)).toHaveLength(20);
  await expect(collect([Buffer.from("12345"), Buffer.from("6789")], 8)).rejects.toThrow("more than 8 bytes");
});
