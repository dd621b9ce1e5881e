/** Copies of MySQL servers, made and restored with the programs of the cluster's own image. */
import type { PositionAlgebra } from "../../model/engine.ts";
import type { Copies } from "../copies.ts";
import { copyDatabases, restoreDatabases } from "./dump.ts";
import { rebuild } from "./rebuild.ts";
import type { Scratch } from "./scratch.ts";
import { lookInto } from "./tables.ts";
import { misfit } from "./version.ts";
import { copyVolume, restoreVolume } from "./volume.ts";

const SHOWN_CHARS = 120;

export interface Knowledge {
  readonly positions: PositionAlgebra;
  /** Whether an account is one that Ordinal makes for itself. */
  readonly isOwnAccount: (name: string) => boolean;
}

export function createMysqlCopies(scratch: Scratch, { positions, isOwnAccount }: Knowledge): Copies {
  const looking = (wanted: string) => ({
    onLooking: scratch.onLooking,
    astray(found: string) {
      const [missing, extra] = [positions.subtract(wanted, found), positions.subtract(found, wanted)];
      if (positions.count(missing) > 0n) return `it lacks ${positions.shorten(missing, SHOWN_CHARS)}`;
      return positions.count(extra) > 0n ? `it holds ${positions.shorten(extra, SHOWN_CHARS)} as well` : null;
    },
  });
  return {
    physical: (source, use) => copyVolume(scratch, source, use),
    logical: (source, databases, use) => copyDatabases(scratch, source, databases, use),
    restore(method, stream, position) {
      const restore = method === "physical" ? restoreVolume : restoreDatabases;
      return restore(scratch, stream, (server) => lookInto(server, looking(position)));
    },
    rebuild: (wish) => rebuild(scratch, wish, { looking, isOwnAccount, count: positions.count }),
    misfit: (origin) => misfit(scratch, origin),
    // Its dictionary, without which there is no server.
    isDataDirectory: (names) => names.includes("mysql.ibd"),
  };
}
