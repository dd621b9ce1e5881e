/**
 * A server's log as it comes: piece by piece, at the pace of whoever reads it, however long it is and however large
 * one transaction in it.
 */
import type { Position } from "../model/server.ts";
import type { ConnectOptions } from "./server.ts";

/**
 * In the order of the log. The bytes of one `head` and of any whole transactions after it are a log file that the
 * server's own tools read; they may be in memory that is used again for the next piece.
 */
export type LogPiece =
  /** What the transactions from here on have to be preceded by. Never within a transaction. */
  | { readonly kind: "head"; readonly bytes: Uint8Array }
  /** A transaction begins. */
  | {
      readonly kind: "transaction";
      /** Its own position, e.g. a single GTID. */
      readonly gtid: string;
      /** Microseconds since 1970, by the clock of the server on which it was first committed. */
      readonly committedAtUs: number;
      readonly bytes: Uint8Array;
      /** It is whole with these bytes; until then none of it may be believed. */
      readonly ends: boolean;
    }
  /** More of the transaction. */
  | { readonly kind: "more"; readonly bytes: Uint8Array; readonly ends: boolean }
  /** The server has nothing more to send just now. Never within a transaction. */
  | { readonly kind: "quiet" };

export interface LogWish {
  /** At the end of the log: true = wait for more, for as long as it takes; false = end. */
  readonly follow: boolean;
  /** How long the server may send nothing at all, not even that it is quiet, milliseconds. */
  readonly silenceMsMax: number;
  /** Ends the stream as a lost connection does. */
  readonly signal: AbortSignal;
}

/**
 * Every transaction in the server's logs that is not in `except`, over a connection of its own that is opened with the
 * first piece and closed with the last. Throws `BrokenStream`: `refused` when what comes is not a log (a checksum, a
 * length) and when the server no longer has some of it, `transient` when the connection is lost.
 */
export type StreamLog = (from: ConnectOptions, except: Position, wish: LogWish) => AsyncIterable<LogPiece>;

/**
 * The same pieces of a log that was stored: a file that begins with a head. Throws `BrokenStream`, `refused` when it is
 * not a log to its end, and as the file itself does.
 */
export type ReadLogFile = (file: AsyncIterable<Uint8Array>) => AsyncIterable<LogPiece>;
