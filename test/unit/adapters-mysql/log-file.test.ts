/** A binary log that was stored: the same pieces as when it was sent, whatever the chunks it comes in, or no log at all. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { readLogFile } from "../../../shared/adapters/mysql/log-file.ts";
import { inPieces } from "../../support/mutations.ts";
import { collect, failureIn, streamOf } from "../../support/streams.ts";
import { A_LOG } from "./a-log.ts";

const sizes = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 6 });

async function* chunks(bytes: Buffer, cuts: readonly number[]) {
  yield* inPieces(bytes, cuts);
}

async function read(file: AsyncIterable<Uint8Array>) {
  const found: { gtid: string; committedAtUs: number; ends: boolean }[] = [];
  const parts: Buffer[] = [];
  for await (const piece of readLogFile(file)) {
    if (piece.kind === "transaction") {
      found.push({ gtid: piece.gtid, committedAtUs: piece.committedAtUs, ends: piece.ends });
    }
    const last = found.at(-1);
    if (piece.kind === "more" && last !== undefined) last.ends = piece.ends;
    if (piece.kind !== "quiet") parts.push(Buffer.from(piece.bytes));
  }
  return { found, bytes: Buffer.concat(parts) };
}

test.each(Object.entries(A_LOG))(
  "%s: all of it, to the byte, in chunks of any size",
  async (_, { gtid, file }) => {
    const whole = (await read(streamOf(file))).bytes;
    await fc.assert(
      fc.asyncProperty(sizes, async (cuts) => {
        const { found, bytes } = await read(chunks(whole, cuts));
        expect(found).toEqual([{ gtid, committedAtUs: expect.any(Number), ends: true }]);
        expect(bytes.equals(whole)).toBe(true);
      }),
      { numRuns: 30 },
    );
    // Only when the server was started is left out, with the checksum over it.
    expect(whole.length).toBe(file.length);
    expect(whole.subarray(200).equals(file.subarray(200))).toBe(true);
  },
);

test("one that is cut off anywhere is none", async () => {
  const { file } = A_LOG.plain;
  for (let length = 0; length < file.length; length += 1) {
    // Between the head and the transaction it is a log of nothing.
    if (length === 4 + file.readUInt32LE(4 + 9)) continue;
    const failure = await failureIn(() => read(streamOf(file.subarray(0, length))));
    expect(failure, `${length} bytes`).toMatchObject({ kind: "refused" });
  }
});

test("one byte that was changed is found wherever the log has checksums", async () => {
  const { file } = A_LOG.tagged;
  for (let at = 0; at < file.length; at += 1) {
    const changed = Buffer.from(file);
    changed.writeUInt8((file[at] ?? 0) ^ 0x10, at);
    expect((await failureIn(() => read(streamOf(changed)))).kind, `byte ${at}`).toBe("refused");
  }
});

test("noise is none", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (noise) => {
      expect((await failureIn(() => collect(bytesOf(noise)))).kind).toBe("refused");
    }),
    { numRuns: 200 },
  );
});

async function* bytesOf(noise: Uint8Array) {
  for await (const piece of readLogFile(streamOf(noise))) if (piece.kind === "head") yield piece.bytes;
}
