/**
 * Other people's text on its way into a sentence of ours: an annotation's value, a server's error. It must
 * never break a line, turn the direction of writing or hide a character, and it is always of bounded length.
 * Lengths are UTF-16 units, as zod counts them; a cut never splits a code point.
 */

/** Control, format (right-to-left marks, zero widths) and unassigned characters, lone surrogates, odd spaces. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u;

/** Whatever may be shown in another way than it stands there. */
const ESCAPED = /[\p{C}\p{Zl}\p{Zp}"\\]|(?! )\p{Zs}/u;

function escapeUnits(point: string): string {
  return point
    .split("")
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`)
    .join("");
}

function showPoint(point: string): string {
  return UNPRINTABLE.test(point) ? escapeUnits(point) : point;
}

function quotePoint(point: string): string {
  return point === '"' || point === "\\" ? `\\${point}` : showPoint(point);
}

/** Reads no further than the cut, so that a huge text costs nothing. An escape is kept whole or left out. */
function cut(text: string, charsMax: number, show: (point: string) => string): string {
  if (text.length <= charsMax && !ESCAPED.test(text)) return text;
  let shown = "";
  let beforeEllipsis = "";
  for (const point of text) {
    shown += show(point);
    if (shown.length > charsMax) return `${beforeEllipsis}…`;
    if (shown.length < charsMax) beforeEllipsis = shown;
  }
  return shown;
}

/** One printable line of at most `charsMax` characters, the ellipsis included. */
export function oneLine(text: string, charsMax: number): string {
  return cut(text, charsMax, showPoint);
}

/** A value quoted back to whoever wrote it: in double quotes, escaped, at most 40 characters between them. */
export function quote(value: string): string {
  return `"${cut(value, 40, quotePoint)}"`;
}

/** Size as Kubernetes counts it. */
export function utf8Bytes(text: string): number {
  return Buffer.byteLength(text, "utf8");
}
