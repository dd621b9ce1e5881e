/**
 * What an engine has to do for backups: to make a copy of a server as a stream of bytes, and to make a server of such a
 * stream again and look into it. Everything else about backups knows no engine.
 */
import * as z from "zod";
import type { Credentials } from "../ports/server.ts";
import type { Bytes } from "./flow.ts";

/** The server that is copied. */
export interface Source {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  /** PEM; null = it is not known, and whoever answers is taken for it. */
  readonly authority: string | null;
}

/** Rows of each table, by `[database, table, rows]`, in the order of names. */
export const tableCountsSchema = z.strictObject({
  v: z.literal(1),
  tables: z.array(z.tuple([z.string(), z.string(), z.number().int().min(0)])),
});
export type TableCounts = z.infer<typeof tableCountsSchema>;

export interface Copy {
  /** Of the server that was copied. */
  readonly version: string;
  readonly serverUuid: string;
  readonly tool: { readonly name: string; readonly version: string };
  readonly stream: Bytes;
  /** Of the stream; null where nobody knows before it ends. */
  readonly bytes: number | null;
  /** What the copy holds. To be asked when the stream has ended. */
  position(): string;
  /** Null where there is nothing to count in. */
  readonly counts: TableCounts | null;
}

export interface Restored {
  /** What it holds more or less than it should; null = neither. As the part of a sentence. */
  readonly astray: string | null;
  /** Tables that the engine itself finds damaged, as the part of a sentence; null = none. */
  readonly damage: string | null;
  /** Null = no table was looked into, because its bytes were proven before. */
  readonly counts: TableCounts | null;
}

/** The server that a backup was made of. */
export interface Origin {
  readonly engine: { readonly name: string; readonly version: string };
  readonly method: "physical" | "logical";
  /** Null = all of it, accounts included. */
  readonly databases: readonly string[] | null;
}

/** What is replayed on top of a backup: files of a log, in their order. */
export interface LogReplay {
  /** Holds them and nothing else, and is ours alone. */
  readonly folder: string;
  /** Their paths. They may be changed, and one that was replayed may be gone. */
  readonly files: readonly string[];
  /** What the server has to hold in the end, and nothing else. */
  readonly position: string;
  /** How many transactions the server holds by now, every moment; throws to end it. */
  readonly onReplayed: (held: bigint) => void;
}

export interface RebuildWish {
  readonly origin: Origin;
  readonly stream: Bytes;
  /** The same bytes were restored before and found whole. Where they are a server's own files, that is not looked into again. */
  readonly isProven: boolean;
  /** What it should hold. */
  readonly position: string;
  /** Null = the backup is all. */
  readonly replay: LogReplay | null;
  /** On the disk that the data is to stay on, and empty; nothing else works in it. */
  readonly folder: string;
  /** Who can log in from anywhere afterwards and do everything, whatever the backup says of that account. */
  readonly administrator: Credentials;
}

/** All of it throws `BrokenStream`. Works in a folder of its own, one thing after the other. */
export interface Copies {
  physical<T>(source: Source, use: (copy: Copy) => Promise<T>): Promise<T>;
  /** Null = all databases. */
  logical<T>(
    source: Source,
    databases: readonly string[] | null,
    use: (copy: Copy) => Promise<T>,
  ): Promise<T>;
  /** Makes a server of the stream and looks into it; `position` is what it should hold. */
  restore(method: "physical" | "logical", stream: Bytes, position: string): Promise<Restored>;
  /**
   * Makes a server of the stream that is one of its own, looks into it, and has it replay what came after: without the identity, the keys, the source and
   * Ordinal's own accounts of the one that was copied. Its data directory is the folder `data` in `folder`.
   */
  rebuild(wish: RebuildWish): Promise<Restored>;
  /** Why the programs here cannot take over what such a server has written, as a sentence; null = they can. */
  misfit(origin: Origin): Promise<string | null>;
  /** Whether these are the names in a data directory that a server has worked in. */
  isDataDirectory(names: readonly string[]): boolean;
}
