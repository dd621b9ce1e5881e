/**
 * What an engine has to do for backups: to make a copy of a server as a stream of bytes, and to make a server of such a
 * stream again and look into it. Everything else about backups knows no engine.
 */
import { z } from "zod";
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
  readonly counts: TableCounts;
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
}
