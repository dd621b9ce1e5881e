/**
 * The set checker: what a workload was told against what is there. INV-2: an acknowledged write is there;
 * a refused one is not. Values of unknown fate may be either and are counted, never judged.
 */
import type { Address } from "./servers.ts";
import { withServer } from "./servers.ts";
import { type Ledger, writtenIds } from "./workload.ts";

export interface Verdict {
  readonly acked: number;
  /** Acknowledged and not there. */
  readonly lost: readonly number[];
  /** Refused and yet there. */
  readonly ghosts: readonly number[];
  /** There, though nobody wrote them. */
  readonly strangers: readonly number[];
  readonly unknownThere: number;
  readonly unknownAbsent: number;
}

/** `present` holds each value once: the table's primary key does not let it be there twice. */
export function judge(
  ledger: Pick<Ledger, "acked" | "refused" | "unknown">,
  present: ReadonlySet<number>,
): Verdict {
  const { acked, refused, unknown } = ledger;
  const tried = new Set([...acked, ...refused, ...unknown]);
  const unknownThere = unknown.filter((id) => present.has(id)).length;
  return {
    acked: acked.length,
    lost: acked.filter((id) => !present.has(id)),
    ghosts: refused.filter((id) => present.has(id)),
    strangers: [...present].filter((id) => !tried.has(id)),
    unknownThere,
    unknownAbsent: unknown.length - unknownThere,
  };
}

export async function checkLedger(ledger: Ledger, primary: Address): Promise<Verdict> {
  const present = await withServer(primary, (_server, connection) => writtenIds(connection));
  return judge(ledger, present);
}
