/**
 * The bill of materials of the image, as CycloneDX 1.6: what is in it, from where, in which version, under which licence.
 *
 * It is made from what was really put in, so nothing can be forgotten in it. It has neither a date nor a serial number,
 * both of which CycloneDX leaves open, because the same tree has to give the same bytes.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { root } from "../../dev/tool.ts";

export interface Part {
  readonly kind: "application" | "library";
  readonly name: string;
  readonly version: string;
  /** A package URL (github.com/package-url): scanners compare it with what they know of flaws. */
  readonly purl: string;
  /** An SPDX expression; absent where only the text in the image says it. */
  readonly license?: string;
  /** Of the package that it came in, as npm writes it. */
  readonly integrity?: string;
}

const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({ version: z.string(), integrity: z.string().optional(), license: z.string().optional() }),
  ),
});

/** What package-lock.json says of these of its keys. Throws on one that it does not know: it is not pinned. */
export function npmParts(keys: readonly string[]): readonly Part[] {
  const lock = lockSchema.parse(JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")));
  return keys.map((key): Part => {
    const locked = lock.packages[key];
    if (locked === undefined) throw new Error(`${key} is bundled and is not in package-lock.json`);
    const { version, integrity, license } = locked;
    const name = key.slice(key.lastIndexOf("node_modules/") + "node_modules/".length);
    return {
      kind: "library",
      name,
      version,
      purl: npmPurl(name, version),
      ...(license === undefined ? {} : { license }),
      ...(integrity === undefined ? {} : { integrity }),
    };
  });
}

export function npmPurl(name: string, version: string): string {
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}

export function sbomOf(version: string, parts: readonly Part[]): string {
  const components = parts.toSorted((a, b) => (a.purl < b.purl ? -1 : 1)).map(componentOf);
  const subject = { type: "container", "bom-ref": "ordinal", name: "ordinal", version };
  const bom = {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: { component: subject },
    components,
    dependencies: [{ ref: "ordinal", dependsOn: components.map((component) => component["bom-ref"]) }],
  };
  return `${JSON.stringify(bom, undefined, 2)}\n`;
}

function componentOf({ kind, name, version, purl, license, integrity }: Part) {
  return {
    type: kind,
    "bom-ref": purl,
    name,
    version,
    ...(integrity === undefined ? {} : { hashes: [hashOf(integrity)] }),
    ...(license === undefined ? {} : { licenses: [{ expression: license }] }),
    purl,
  };
}

const algorithms: Readonly<Record<string, string>> = { sha512: "SHA-512", sha256: "SHA-256", sha1: "SHA-1" };

function hashOf(integrity: string) {
  const [algorithm = "", digest = ""] = integrity.split("-");
  const alg = algorithms[algorithm];
  if (alg === undefined) throw new Error(`${integrity} is no hash that CycloneDX has a name for`);
  return { alg, content: Buffer.from(digest, "base64").toString("hex") };
}
