/**
 * Cuts a byte stream into lines. It cuts bytes and not characters, since a chunk may end in the middle of a
 * character, and 0x0A is never a part of one in UTF-8. What follows the last line feed was cut off on its
 * way and is dropped. A line beyond the bound is an error, so that memory stays bounded.
 */
const LINE_FEED = 0x0a;

export async function* linesOf(chunks: AsyncIterable<Buffer>, bytesMax: number): AsyncGenerator<string> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      held.push(chunk.subarray(start, end));
      yield Buffer.concat(held).toString("utf8");
      held = [];
      heldBytes = 0;
      start = end + 1;
    }
    held.push(chunk.subarray(start));
    heldBytes += chunk.length - start;
    if (heldBytes > bytesMax) throw new Error(`a line has more than ${bytesMax} bytes`);
  }
}
