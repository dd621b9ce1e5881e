/** The bill of materials tells of what is bundled exactly what package-lock.json pins. */
import { expect, test } from "vitest";
import * as z from "zod";
import { packagesIn } from "../../../infra/images/ordinal/programs.ts";
import { npmParts, sbomOf } from "../../../infra/images/ordinal/sbom.ts";
import lock from "../../../package-lock.json" with { type: "json" };

const bomSchema = z.object({
  bomFormat: z.literal("CycloneDX"),
  specVersion: z.literal("1.6"),
  components: z.array(
    z.object({
      name: z.string(),
      version: z.string(),
      purl: z.string(),
      licenses: z.tuple([z.object({ expression: z.string() })]),
      hashes: z.tuple([z.object({ alg: z.literal("SHA-512"), content: z.string() })]),
    }),
  ),
  dependencies: z.tuple([z.object({ ref: z.literal("ordinal"), dependsOn: z.array(z.string()) })]),
});

const output = (inputs: Readonly<Record<string, number>>) => ({
  bytes: 0,
  inputs: Object.fromEntries(
    Object.entries(inputs).map(([path, bytesInOutput]) => [path, { bytesInOutput }]),
  ),
  imports: [],
  exports: [],
});

test("packages are named as in the lockfile, nested ones too, and only where bytes of them are shipped", () => {
  const found = packagesIn({
    outputs: {
      "a.mjs": output({
        "node_modules/zod/v4/core/api.js": 5,
        "node_modules/@aws-sdk/core/node_modules/tslib/tslib.js": 3,
        "node_modules/yaml/index.js": 0,
        "shared/model/store.ts": 9,
      }),
      "b.mjs": output({ "../elsewhere/node_modules/@smithy/core/dist/index.js": 1 }),
    },
  });
  expect(found).toEqual([
    "node_modules/zod",
    "node_modules/@aws-sdk/core/node_modules/tslib",
    "node_modules/@smithy/core",
  ]);
});

test("version, licence and hash are the lockfile's", () => {
  const keys = ["node_modules/zod", "node_modules/@aws-sdk/client-s3"] as const;
  const bom = bomSchema.parse(JSON.parse(sbomOf("1.2.3", npmParts(keys))));
  const components = bom.components.toSorted((a, b) => keys.indexOf(keyOf(a)) - keys.indexOf(keyOf(b)));
  const expected = keys.map((key) => {
    const { version, integrity, license } = lock.packages[key];
    const hex = Buffer.from(integrity.replace("sha512-", ""), "base64").toString("hex");
    return { version, licenses: [{ expression: license }], hashes: [{ alg: "SHA-512", content: hex }] };
  });
  expect(components).toMatchObject(expected);
  expect(bom.components[0]?.purl).toBe(
    `pkg:npm/%40aws-sdk/client-s3@${lock.packages["node_modules/@aws-sdk/client-s3"].version}`,
  );
  expect(bom.dependencies[0].dependsOn).toEqual(bom.components.map(({ purl }) => purl));
});

const keyOf = ({ name }: { readonly name: string }) =>
  `node_modules/${name}` as "node_modules/zod" | "node_modules/@aws-sdk/client-s3";

test("the order of what it is given does not matter", () => {
  const parts = npmParts(["node_modules/zod", "node_modules/croner", "node_modules/yaml"]);
  expect(sbomOf("1", parts.toReversed())).toBe(sbomOf("1", parts));
});

test("what nobody has pinned is not shipped", () => {
  expect(() => npmParts(["node_modules/not-locked"])).toThrow("not-locked is bundled and is not in");
});
