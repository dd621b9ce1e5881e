/** Manifest and proof: read back as written, and refused when they are not for the place where they stand. */
import { describe, expect, test } from "vitest";
import { decodeManifest, decodeProof, encodeManifest, encodeProof } from "../../../shared/backup/manifest.ts";
import { at, manifest, PLACE, proof, SHA } from "./support.ts";

const SLOT = at("2026-11-23T03:00:00Z");
const standing = { clusterUid: PLACE.clusterUid, slotMs: SLOT };

describe("the manifest", () => {
  const text = encodeManifest(manifest(SLOT));
  const why = (raw: string): string | null => {
    const read = decodeManifest(raw, standing);
    return read.kind === "unusable" ? read.why : null;
  };

  test("is canonical and read back", () => {
    expect(text).toMatch(/^\{"asked":\{"by":null,"how":"schedule"\},"attempt":1,/);
    expect(decodeManifest(text, standing)).toEqual({ kind: "valid", value: manifest(SLOT) });
  });

  const encrypted = manifest(SLOT, {
    method: "logical",
    databases: ["shop"],
    encryption: { name: "age", recipients: ["age1abc"] },
    asked: { how: "request", by: "jane" },
  });
  test("of an encrypted dump that was asked for", () => {
    expect(decodeManifest(encodeManifest(encrypted), standing)).toEqual({ kind: "valid", value: encrypted });
  });

  test.each([
    ["no text", "", "it cannot be read: not JSON"],
    ["cut", text.slice(0, -1), "it cannot be read: not JSON"],
    ["a list", "[]", "it is not as it should be"],
    ["newer", '{"v":2}', "it is of version 2, which a newer Ordinal wrote"],
    ["with a field more", text.replace("{", '{"extra":1,'), "it is not as it should be"],
    ["with a prototype", text.replace("{", '{"__proto__":{},'), "it cannot be read: forbidden key __proto__"],
    [
      "with a checksum that is none",
      text.replace(SHA, "abc"),
      "its parts.0.plainSha256 is not as it should be",
    ],
    [
      "with a path in a name",
      text.replace("volume.tar.zst", "../x"),
      "its parts.0.name is not as it should be",
    ],
    ["of another cluster", text.replace("6f0c1c5e", "6f0c1c5f"), "it is of another cluster or slot"],
    ["with another name", text.replace('"mysql"', '"other"'), "it was changed after it was written"],
    ["of another slot", text.replace("T03:00:00.000Z", "T04:00:00.000Z"), "it is of another cluster or slot"],
    [
      "naming a part twice",
      text.replace('"name":"checksums.json"', '"name":"volume.tar.zst"'),
      "it names a part twice",
    ],
    [
      "with checksums elsewhere",
      text.replace('"checksums":"checksums.json"', '"checksums":"x"'),
      "its checksums are no part of it",
    ],
  ])("%s is not used", (_, raw, said) => {
    expect(why(raw)).toBe(said);
  });

  test("with any byte of it changed is not used", () => {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += 1) {
      for (const mask of [1, 32, 128]) {
        const changed = Buffer.from(bytes);
        changed.writeUInt8(bytes.readUInt8(at) ^ mask, at);
        expect(why(changed.toString("utf8")), `byte ${at} ^ ${mask}`).not.toBeNull();
      }
    }
  });

  test("one that could not be read back is never written", () => {
    expect(() => encodeManifest(manifest(SLOT, { parts: [] }))).toThrow();
  });
});

describe("the proof", () => {
  test("is read back for its own backup", () => {
    const text = encodeProof(proof(SLOT));
    expect(decodeProof(text, standing)).toEqual({ kind: "valid", value: proof(SLOT) });
    expect(decodeProof(text, { ...standing, slotMs: SLOT + 1_000 })).toMatchObject({ kind: "unusable" });
    expect(decodeProof(text, { ...standing, clusterUid: "x" })).toMatchObject({ kind: "unusable" });
    expect(decodeProof(`${text}x`, standing)).toMatchObject({ kind: "unusable" });
  });
});
