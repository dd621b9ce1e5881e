/**
 * Whether servers delete old binary logs by themselves. While the archive stands still they do not, or what they delete would
 * be a gap for ever. A volume that is nearly full comes first: a full one stops every write.
 */
import type { BackupMemory } from "../../model/backup.ts";
import type { BackupsObservation } from "../../model/observed.ts";
import { isRead, type MemberView, type Situation } from "../situation.ts";

/** Of a volume, from which on logs are no longer held. */
export const FULL_SHARE = 0.9;

/** What is to be in force on every server; null = what somebody else has set. */
export function deletesLogs(backups: BackupsObservation): boolean | null {
  const purging = backups.kind === "valid" ? backups.memory.archive?.purging : undefined;
  return purging === undefined || purging === "usual" ? null : purging !== "held";
}

export interface Fullness {
  readonly podName: string;
  /** Of its volume, by what the server knows of: 0 to 1. */
  readonly share: number;
}

/** The volume that is the fullest; null while nothing is known of any. */
export function fullest({ members }: Pick<Situation, "members">): Fullness | null {
  const known = members.flatMap(({ member, facts }) => {
    const capacity = member.claim?.capacityBytes ?? 0;
    if (facts === null || facts.storedBytes === null || capacity === 0) return [];
    return [{ podName: member.podName, share: facts.storedBytes / capacity }];
  });
  return known.toSorted((a, b) => b.share - a.share)[0] ?? null;
}

/** Of a volume of which the size is not known nobody could say when it is full. */
function canHold(members: readonly MemberView[]): boolean {
  const read = members.filter(isRead);
  return (
    read.some(({ facts }) => facts.deletesLogs && facts.logsKeptMs !== null) &&
    read.every(({ member }) => (member.claim?.capacityBytes ?? 0) > 0)
  );
}

/** One that holds its logs does not say how much they are, for lack of a right as it may be. */
function isBlind(members: readonly MemberView[]): boolean {
  return members.some(({ facts }) => facts !== null && !facts.deletesLogs && facts.storedBytes === null);
}

type Purging = NonNullable<BackupMemory["archive"]>["purging"];

function next(now: Purging, { members }: Pick<Situation, "members">, stands: boolean): Purging {
  switch (now) {
    case "usual":
      return stands && canHold(members) ? "held" : now;
    case "held":
      if (!stands) return "resuming";
      return isBlind(members) || (fullest({ members })?.share ?? 0) >= FULL_SHARE ? "pressed" : now;
    case "pressed":
      return stands ? now : "resuming";
    case "resuming":
      if (stands) return "held";
      // One that does not answer may come back with what was set last.
      return members.every(({ facts }) => facts?.deletesLogs === true) ? "usual" : now;
  }
}

/** `stands`: the archive is wanted, and does not go on. What is set on servers follows from the record, later. */
export function followPurging(
  memory: BackupMemory,
  situation: Pick<Situation, "members">,
  stands: boolean,
): BackupMemory {
  const { archive } = memory;
  if (archive === null) return memory;
  const purging = next(archive.purging, situation, stands);
  return purging === archive.purging ? memory : { ...memory, archive: { ...archive, purging } };
}
