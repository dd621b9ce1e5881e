/**
 * Established clusters to begin with: each kind is adopted once by the shipped code and then only copied, so
 * that a run costs milliseconds.
 */
import { type Beginning, createWorld } from "../world.ts";
import type { Scenario } from "./model.ts";

const known = new Map<string, Beginning>();

export const WISH = {
  "ordinal.dev/engine": "mysql",
  "ordinal.dev/credentials": "mysql-root",
  // Several failovers belong to one story; pauses between them are tested for themselves.
  "ordinal.dev/failover-cooldown": "0",
};

export async function beginningOf({
  members,
  onRestart,
}: Pick<Scenario, "members" | "onRestart">): Promise<Beginning> {
  const key = `${members} ${onRestart}`;
  const present = known.get(key);
  if (present !== undefined) return present;
  const world = createWorld({
    members: Array.from({ length: members }, (_, ordinal) =>
      ordinal === 0 ? { tables: ["shop.orders"], rows: 3 } : {},
    ),
    annotations: { ...WISH, "ordinal.dev/on-restart": onRestart },
  });
  await world.settle();
  const beginning = world.capture();
  known.set(key, beginning);
  return beginning;
}
