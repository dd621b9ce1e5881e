/** Archives: what was packed is unpacked, the system's tar agrees, and nothing gets out of the folder. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  appendFileSync,
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { packFolder, unpackInto } from "../../../shared/backup/tar.ts";
import { END_OF_ARCHIVE, encodeEntry, paddingOf, type TarEntry } from "../../../shared/backup/tar-format.ts";
import { collect, failureIn, failureOf, streamOf } from "../../support/streams.ts";

let from: string;
let to: string;

beforeEach(() => {
  const root = mkdtempSync(join(tmpdir(), "ordinal-tar-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  [from, to] = [join(root, "from"), join(root, "to")];
  mkdirSync(from);
  mkdirSync(to);
});

/** What only GNU tar knows is asked of it where it is at home. */
const noGnuTar = process.platform !== "linux";
const longName = "a-long-name-".repeat(15);

function fill(): void {
  mkdirSync(join(from, "shop/deep/er"), { recursive: true });
  mkdirSync(join(from, "empty"));
  writeFileSync(join(from, "ibdata1"), randomBytes(1_300_000), { mode: 0o640 });
  writeFileSync(join(from, "shop/zero"), "");
  writeFileSync(join(from, "shop/block"), randomBytes(512));
  writeFileSync(join(from, "shop/deep/er", longName), "long");
  writeFileSync(join(from, "shop/grün-日本"), "names of people");
  writeFileSync(join(from, "shop/read-only"), "x", { mode: 0o400 });
  utimesSync(join(from, "ibdata1"), 1_700_000_000, 1_700_000_000);
  chmodSync(join(from, "empty"), 0o750);
}

/** Everything that is in a folder and what is known of it, as one value to compare. */
function picture(folder: string, inside = ""): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(join(folder, inside)).sort()) {
    const path = join(inside, name);
    const stats = lstatSync(join(folder, path));
    if (stats.isDirectory()) {
      found[`${path}/`] = (stats.mode & 0o777).toString(8);
      Object.assign(found, picture(folder, path));
    } else {
      found[path] = readFileSync(join(folder, path)).toString("base64");
    }
  }
  return found;
}

describe("packing", () => {
  test("what was packed is unpacked, with modes and times", async () => {
    fill();
    await unpackInto(to, packFolder(from));
    expect(picture(to)).toEqual(picture(from));
    const stats = lstatSync(join(to, "ibdata1"));
    expect([stats.mode & 0o777, stats.mtimeMs]).toEqual([0o640, 1_700_000_000_000]);
  });

  test("the same folder gives the same bytes", async () => {
    fill();
    expect((await collect(packFolder(from))).equals(await collect(packFolder(from)))).toBe(true);
  });

  test.skipIf(noGnuTar)("the system's tar reads it, and we read the system's", async () => {
    fill();
    const archive = await collect(packFolder(from));
    execFileSync("tar", ["-x", "-f", "-", "-C", to], { input: archive });
    expect(picture(to)).toEqual(picture(from));
    const names = ["empty", "ibdata1", "shop"];
    const pax = ["--format=pax", "--pax-option=delete=?time"];
    const theirs = execFileSync("tar", [...pax, "-c", "-C", from, "-f", "-", ...names], { maxBuffer: 1e8 });
    const third = join(to, "..", "third");
    mkdirSync(third);
    await unpackInto(third, streamOf(theirs));
    expect(picture(third)).toEqual(picture(from));
  });

  test("a link is refused, and a socket has nothing to be packed", async () => {
    const server = createServer().listen(join(from, "mysql.sock"));
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once("listening", resolve));
    expect(await collect(packFolder(from))).toEqual(Buffer.from(END_OF_ARCHIVE));
    symlinkSync("/etc/passwd", join(from, "link"));
    expect((await failureOf(packFolder(from))).message).toContain("link is neither a file nor a folder");
  });

  test("a file that grows or shrinks meanwhile is refused by its name", async () => {
    for (const change of ["grow", "shrink"] as const) {
      const file = join(from, "table.ibd");
      writeFileSync(file, randomBytes(2_000_000));
      const failure = await failureIn(async () => {
        for await (const chunk of packFolder(from)) {
          if (chunk.length < 10_000) continue;
          if (change === "grow") appendFileSync(file, "x");
          else writeFileSync(file, "");
        }
      });
      expect(failure).toEqual({ kind: "refused", message: "the file table.ibd changed while it was packed" });
    }
  });

  test.skipIf(noGnuTar)("sizes and owners beyond the old format's digits are kept", () => {
    const entry: TarEntry = {
      kind: "file",
      path: "huge",
      mode: 0o600,
      uid: 1_000_660_000,
      gid: 4_000_000_000,
      size: 9 * 1024 ** 4,
      modifiedAt: 1_800_000_000,
    };
    const text = Buffer.from(encodeEntry(entry)).toString("latin1");
    expect(text).toContain(`size=${9 * 1024 ** 4}\n`);
    expect(text).toContain("uid=1000660000\n");
    const listed = execFileSync("tar", ["-t", "-v", "--numeric-owner", "-f", "-"], {
      input: encodeEntry({ ...entry, size: 0 }),
      stdio: ["pipe", "pipe", "ignore"],
      encoding: "utf8",
    });
    expect(listed).toMatch(/1000660000\/4000000000/);
  });
});

describe("unpacking what nobody should have packed", () => {
  const file = (path: string, body = "x"): Buffer => {
    const entry: TarEntry = {
      kind: "file",
      path,
      mode: 0o644,
      uid: 0,
      gid: 0,
      modifiedAt: 0,
      size: Buffer.byteLength(body),
    };
    return Buffer.concat([encodeEntry(entry), Buffer.from(body), paddingOf(entry.size)]);
  };
  const whole = (...parts: Uint8Array[]) => streamOf(Buffer.concat([...parts, END_OF_ARCHIVE]));
  /** With another type and target of a link, and a checksum that fits. */
  function retyped(type: string, target = ""): Buffer {
    const block = file("entry", "");
    block.write(type, 156, "latin1");
    block.write(target, 157, "latin1");
    block.fill(" ", 148, 156);
    const sum = block.reduce((total, byte) => total + byte, 0);
    block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
    return block;
  }

  test.each([
    "../out",
    "/etc/x",
    "a/../../out",
    "./a",
    "a//b",
    "..",
    "a/\u0000b",
    "a/\nb",
    `${"a".repeat(256)}`,
  ])("the path %j is refused", async (path) => {
    const failure = await failureIn(() => unpackInto(to, whole(file(path))));
    expect(failure.kind).toBe("refused");
    expect(readdirSync(to)).toEqual([]);
    expect(readdirSync(join(to, ".."))).toEqual(["from", "to"]);
  });

  test.each([
    ["symbolic link", "2"],
    ["hard link", "1"],
    ["device", "3"],
    ["pipe", "6"],
    ["sparse file", "S"],
    ["GNU long name", "L"],
    ["global header", "g"],
  ])("a %s is refused", async (_name, type) => {
    const failure = await failureIn(() => unpackInto(to, whole(retyped(type, "/etc/passwd"))));
    expect(failure.message).toContain("neither a file nor a folder");
  });

  test("a folder that is a link already is not followed", async () => {
    symlinkSync(from, join(to, "sub"));
    expect((await failureIn(() => unpackInto(to, whole(file("sub/x"))))).message).toContain("is not empty");
    expect(readdirSync(from)).toEqual([]);
  });

  test("the same name twice, and a file without its folder, are refused", async () => {
    expect((await failureIn(() => unpackInto(to, whole(file("a"), file("a"))))).message).toContain("twice");
    const other = join(from, "other");
    mkdirSync(other);
    const failure = await failureIn(() => unpackInto(other, whole(file("b/c"))));
    expect(failure.message).toContain("without its folder");
  });

  test("an archive that was cut off anywhere is refused", async () => {
    const archive = Buffer.concat([file("one", "1".repeat(700)), file("two", "2"), END_OF_ARCHIVE]);
    for (const place of [0, 100, 512, 600, 1300, 1536, 2000, 2048, archive.length - 1024]) {
      const folder = mkdtempSync(join(from, "cut-"));
      const failure = await failureIn(() => unpackInto(folder, streamOf(archive.subarray(0, place))));
      expect(failure.message, `at ${place}`).toContain("cut off");
    }
  });

  test.skipIf(noGnuTar)(
    "records that are not known, such as those of sparse files, are refused",
    async () => {
      const sparse = execFileSync("sh", [
        "-c",
        `truncate -s 1M ${from}/s && tar --format=pax -S -c -C ${from} -f - s`,
      ]);
      expect((await failureIn(() => unpackInto(to, streamOf(sparse)))).kind).toBe("refused");
    },
  );
});
