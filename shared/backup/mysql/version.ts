/**
 * Whether the programs of an image can take over what a server of another version has written. MySQL upgrades data within
 * a major version and from the last series of the one before (MySQL 9.7 Reference Manual, "Upgrade Paths"), and never
 * turns it back.
 */

import type { Origin } from "../copies.ts";
import { unusable } from "../flow.ts";
import { outputOf } from "../program.ts";
import type { Scratch } from "./scratch.ts";

/** Long-term series, from which the next major version takes over: minor by major. */
const LAST_SERIES: ReadonlyMap<number, number> = new Map([
  [8, 4],
  [9, 7],
]);

type Version = readonly [number, number, number];

/** Null when it is none. */
function parse(text: string): Version | null {
  const [, major, minor, patch] = /(?:^|Ver )(\d{1,3})\.(\d{1,3})\.(\d{1,4})\b/.exec(text) ?? [];
  return patch === undefined ? null : [Number(major), Number(minor), Number(patch)];
}

function isOlder(a: Version, b: Version): boolean {
  const at = [0, 1, 2].find((part) => a[part] !== b[part]);
  return at !== undefined && Number(a[at]) < Number(b[at]);
}

/** Of the server that is started here, as `9.7.4`. */
export async function ownVersion({ path }: Scratch): Promise<Version> {
  const chunks: Uint8Array[] = [];
  const args = ["--no-defaults", "--version"];
  for await (const chunk of outputOf({ program: "mysqld", args, env: { PATH: path }, endMark: null })) {
    chunks.push(Uint8Array.from(chunk));
  }
  const version = parse(Buffer.concat(chunks).toString("utf8"));
  if (version === null) throw unusable("The mysqld of the image does not say its version.");
  return version;
}

/** As a sentence; null = it can. */
export async function misfit(scratch: Scratch, { engine, method }: Origin): Promise<string | null> {
  if (engine.name !== "mysql") return `The backup is of ${engine.name}, and the image has MySQL.`;
  const theirs = parse(engine.version);
  if (theirs === null) return "The backup does not say of which version of MySQL it is.";
  const ours = await ownVersion(scratch);
  const of = `The backup is of MySQL ${theirs.join(".")} and the image has ${ours.join(".")}`;
  if (isOlder(ours, theirs))
    return `${of}: data is never taken back to an older version, so use a newer image.`;
  const [major, minor] = theirs;
  const goesOn = ours[0] === major || (ours[0] === major + 1 && LAST_SERIES.get(major) === minor);
  if (method === "logical" || goesOn) return null;
  return `${of}, which does not take over its files: use an image in between, or a logical backup.`;
}
