/**
 * What a named cluster is on this machine: its folder, its addresses, its record.
 *
 * Addresses follow from one small number, the slot, so that clusters side by side never meet.
 * The record is written before anything it describes is made, so `down` can remove what an
 * interrupted `up` has left. Nothing outside the instance's folder may hold its state.
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import * as z from "zod";
import { withLock } from "./lock.ts";
import { LocalError, run } from "./process.ts";

const slotCount = 64;

const processSchema = z.object({ pid: z.number(), startTime: z.string(), boot: z.string() });

const recordSchema = z.object({
  name: z.string(),
  slot: z.number().int().min(0).max(slotCount),
  init: processSchema.optional(),
  /** Set once every part has answered; an instance without it is a leftover of an interrupted `up`. */
  readyAt: z.string().optional(),
});

export type InstanceRecord = z.infer<typeof recordSchema>;

export type Instance = {
  readonly name: string;
  readonly folder: string;
  readonly slot: number;
  /** The cgroup that holds the pods, the same path in each hierarchy. */
  readonly cgroup: string;
  readonly hostInterface: string;
  readonly hostAddress: string;
  /** The node: also where the API server, DNS and the object store answer. */
  readonly nodeAddress: string;
  readonly nodeName: string;
  readonly podSubnet: string;
  readonly bridgeAddress: string;
  readonly serviceSubnet: string;
  readonly apiServiceAddress: string;
};

export function stateFolder(): string {
  const base = process.env["XDG_STATE_HOME"] ?? join(homedir(), ".local", "state");
  return process.env["ORDINAL_STATE"] ?? join(base, "ordinal");
}

export function cacheFolder(): string {
  const base = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  return process.env["ORDINAL_CACHE"] ?? join(base, "ordinal");
}

export function checkName(name: string): void {
  if (/^[a-z][a-z0-9-]{0,30}$/.test(name)) return;
  throw new LocalError(
    `"${name}" is no name for a cluster: a letter, then at most 30 letters, digits or "-"`,
    2,
  );
}

export function folderOf(name: string): string {
  checkName(name);
  return join(stateFolder(), "clusters", name);
}

export function instanceLock(name: string): string {
  checkName(name);
  return join(stateFolder(), "locks", `${name}.lock`);
}

export function instanceOf(record: InstanceRecord): Instance {
  const { name, slot } = record;
  return {
    name,
    slot,
    folder: folderOf(name),
    cgroup: `ordinal-${name}`,
    hostInterface: `ordinal${slot}`,
    hostAddress: `10.213.${slot}.1`,
    nodeAddress: `10.213.${slot}.2`,
    nodeName: "node-0",
    podSubnet: `10.214.${slot}.0/24`,
    bridgeAddress: `10.214.${slot}.1`,
    serviceSubnet: `10.215.${slot}.0/24`,
    apiServiceAddress: `10.215.${slot}.1`,
  };
}

export function readRecord(name: string): InstanceRecord | undefined {
  const file = join(folderOf(name), "instance.json");
  if (!existsSync(file)) return undefined;
  const parsed = recordSchema.safeParse(JSON.parse(readFileSync(file, "utf8")));
  if (!parsed.success) throw new LocalError(`${file} is not a record of ours; remove its folder`);
  return parsed.data;
}

export function writeRecord(record: InstanceRecord): void {
  const file = join(folderOf(record.name), "instance.json");
  mkdirSync(folderOf(record.name), { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.new`, `${JSON.stringify(record, undefined, 2)}\n`);
  renameSync(`${file}.new`, file);
}

export function allNames(): readonly string[] {
  const folder = join(stateFolder(), "clusters");
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

/** Takes a slot that no other instance has and whose addresses this machine does not use yet. */
export function claimSlot(name: string): Promise<InstanceRecord> {
  return withLock(join(stateFolder(), "locks", "_slots.lock"), async () => {
    const taken = new Set(allNames().map((other) => readRecord(other)?.slot));
    const interfaces = await run("ip", ["-json", "address"]);
    const routes = await run("ip", ["-json", "route"]);
    for (let slot = 0; slot < slotCount; slot++) {
      const inUse =
        interfaces.includes(`"ordinal${slot}"`) ||
        [213, 214, 215].some((block) => routes.includes(`"10.${block}.${slot}.`));
      if (inUse || taken.has(slot)) continue;
      const record: InstanceRecord = { name, slot };
      writeRecord(record);
      return record;
    }
    throw new LocalError(`all ${slotCount} slots for local clusters are in use`);
  });
}
