/** A backup is read without Ordinal, with the programs that everybody has: age, zstd and tar. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { findProgram } from "../../infra/local/packages.ts";
import { decrypted, encrypted } from "../../shared/backup/age.ts";
import { sealStream } from "../../shared/backup/seal.ts";
import { packFolder } from "../../shared/backup/tar.ts";
import { createMemoryStore } from "../support/memory-store.ts";
import { collect, newIdentity, patienceOf, streamOf } from "../support/streams.ts";
import { value } from "./store-cases.ts";

const missing = ["age", "age-keygen", "zstd", "tar"].filter((name) => findProgram(name) === undefined);
const skipped = missing.length === 0 ? "" : ` (skipped: ${missing.join(", ")} not installed)`;
const buffers = { maxBuffer: 1e9 } as const;

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "ordinal-tools-"));
  onTestFinished(() => rmSync(made, { recursive: true }));
  return made;
}

describe.skipIf(missing.length > 0)(`the programs that everybody has${skipped}`, () => {
  /** An identity of the program's own making, in the file that it wrote. */
  function theirIdentity() {
    const file = join(folder(), "key.txt");
    execFileSync("age-keygen", ["-o", file], { stdio: "ignore" });
    const text = /AGE-SECRET-KEY-1[A-Z0-9]+/.exec(readFileSync(file, "utf8"))?.[0] ?? "";
    const told = execFileSync("age-keygen", ["-y", file], { encoding: "utf8" }).trim();
    return { file, told, identity: newIdentity(text) };
  }

  test("we know their keys: the same public key belongs to the same private one", () => {
    const { told, identity } = theirIdentity();
    expect(identity.recipient).toBe(told);
  });

  test.each([0, 1, 65_535, 65_536, 65_537, 200_000])(
    "age opens %i bytes of ours, and we open its own",
    async (size) => {
      const { file, told, identity } = theirIdentity();
      const plain = randomBytes(size);
      const other = newIdentity();
      const ours = await collect(encrypted(streamOf(plain), [other.publicKey, identity.publicKey]));
      expect(execFileSync("age", ["-d", "-i", file], { input: ours, ...buffers }).equals(plain)).toBe(true);
      const both = ["-r", other.recipient, "-r", told];
      const theirs = execFileSync("age", ["-e", ...both], { input: plain, ...buffers });
      expect((await collect(decrypted(streamOf(theirs, 1_000), identity))).equals(plain)).toBe(true);
    },
  );

  test("a packed folder in several encrypted objects is opened by age, zstd and tar", async () => {
    const { file, identity } = theirIdentity();
    const [from, to] = [folder(), folder()];
    mkdirSync(join(from, "shop"));
    writeFileSync(join(from, "ibdata1"), randomBytes(3_000_000));
    writeFileSync(join(from, "shop/orders.ibd"), "row ".repeat(200_000));
    const store = createMemoryStore({ partBytesMin: 1 });
    const shape = { sliceBytes: 1_000_000, partBytes: 300_000, parallel: 2 };
    const keyOf = (number: number) => `${number}`;
    const recipients = [identity.publicKey];
    const wish = { store, shape, keyOf, recipients, patience: patienceOf(2) };
    const objects = value(await sealStream(packFolder(from), wish));
    expect(objects).toHaveLength(4);
    const opened = objects.map(({ key }) => {
      const object = store.objects.get(key)?.bytes ?? new Uint8Array(0);
      const small = execFileSync("age", ["-d", "-i", file], { input: object, ...buffers });
      return execFileSync("zstd", ["-d", "-q", "-c"], { input: small, ...buffers });
    });
    execFileSync("tar", ["-x", "-C", to, "-f", "-"], { input: Buffer.concat(opened) });
    for (const name of ["ibdata1", "shop/orders.ibd"]) {
      expect(readFileSync(join(to, name)).equals(readFileSync(join(from, name))), name).toBe(true);
    }
  });
});
