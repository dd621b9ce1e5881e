/** Keys in the bucket: what is built is recognised, and nothing else is. */
import { expect, test } from "vitest";
import {
  backupsFolder,
  manifestKey,
  parseKey,
  partKey,
  proofKey,
  slotName,
} from "../../../shared/backup/layout.ts";
import { at, PLACE } from "./support.ts";

const SLOT = at("2026-11-23T03:00:00Z");
const FOLDER = "team/shop/6f0c1c5e-52e5-4a39-9b05-0c7f3d5f3a11/backups";

test("each thing has its place, under the uid of its cluster", () => {
  expect(backupsFolder(PLACE)).toBe(`${FOLDER}/`);
  expect(manifestKey(PLACE, SLOT)).toBe(`${FOLDER}/20261123T030000Z/manifest.json`);
  expect(proofKey(PLACE, SLOT)).toBe(`${FOLDER}/20261123T030000Z/proof.json`);
  expect(partKey(PLACE, { slotMs: SLOT, attempt: 2, name: "volume.tar.zst.age" })).toBe(
    `${FOLDER}/20261123T030000Z/2/volume.tar.zst.age`,
  );
  expect(backupsFolder({ ...PLACE, prefix: "" })).toBe(`${PLACE.clusterUid}/backups/`);
});

test.each([
  [`${FOLDER}/20261123T030000Z/manifest.json`, { kind: "manifest", slotMs: SLOT }],
  [`${FOLDER}/20261123T030000Z/proof.json`, { kind: "proof", slotMs: SLOT }],
  [`${FOLDER}/20261123T030000Z/1/a.sql`, { kind: "part", slotMs: SLOT, attempt: 1, name: "a.sql" }],
])("%s is ours", (key, parsed) => {
  expect(parseKey(PLACE, key)).toEqual(parsed);
});

test.each([
  "",
  "manifest.json",
  `${FOLDER}/`,
  `${FOLDER}/20261123T030000Z`,
  `${FOLDER}/20261123T030000Z/`,
  `${FOLDER}/20261123T030000Z/1`,
  `${FOLDER}/20261123T030000Z/1/`,
  `${FOLDER}/20261123T030000Z/0/a.sql`,
  `${FOLDER}/20261123T030000Z/01/a.sql`,
  `${FOLDER}/20261123T030000Z/100/a.sql`,
  `${FOLDER}/20261123T030000Z/1/.hidden`,
  `${FOLDER}/20261123T030000Z/1/../../other`,
  `${FOLDER}/20261123T030000Z/1/a/b`,
  `${FOLDER}/20261123T030000Z/1/a b`,
  `${FOLDER}/20261123T030000Z/manifest.json/`,
  `${FOLDER}/20261123T030000Z/MANIFEST.JSON`,
  `${FOLDER}/20261131T030000Z/manifest.json`,
  `${FOLDER}/20261123T250000Z/manifest.json`,
  `${FOLDER}/2026-11-23T03:00:00Z/manifest.json`,
  `${FOLDER.replace("backups", "binlogs")}/20261123T030000Z/manifest.json`,
  `${FOLDER.replace("6f0c1c5e", "6f0c1c5f")}/20261123T030000Z/manifest.json`,
  `other/${FOLDER}/20261123T030000Z/manifest.json`,
  `${PLACE.clusterUid}/backups/20261123T030000Z/manifest.json`,
])("%s is not ours", (key) => {
  expect(parseKey(PLACE, key)).toBeNull();
});

test("what cannot be a key of ours is never built", () => {
  expect(() => backupsFolder({ prefix: "", clusterUid: ".." })).toThrow("not the uid");
  expect(() => partKey(PLACE, { slotMs: SLOT, attempt: 1, name: "../a" })).toThrow("no name of a part");
  expect(() => partKey(PLACE, { slotMs: SLOT, attempt: 0, name: "a" })).toThrow("no name of a part");
  expect(() => slotName(SLOT + 1)).toThrow("full second");
});
