/** What is on a volume is exchanged: whole or taken back, wherever it is killed, and nothing is lost or mixed. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test, vi } from "vitest";
import { exchange, forget } from "../../../shared/backup/exchange.ts";
import type { Direction } from "../../../shared/model/restore.ts";

class Killed extends Error {}

/** Renames, of which each marker is one too, until the process is killed. */
/** Thousands of files are made and written through to the disk: in memory, where there is such a place. */
const FAST = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
const left = vi.hoisted(() => ({ renames: Number.POSITIVE_INFINITY }));
vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  return {
    ...real,
    async rename(from: string, to: string) {
      if (left.renames === 0) throw new Killed();
      left.renames -= 1;
      await real.rename(from, to);
    },
  };
});

const root = mkdtempSync(join(FAST, "ordinal-exchange-"));
afterAll(() => rmSync(root, { recursive: true }));
beforeEach(() => {
  left.renames = Number.POSITIVE_INFINITY;
});

type Names = Readonly<Record<string, string>>;
const OLD: Names = { "mysql.ibd": "old", ibdata1: "old", "auto.cnf": "old", "shop/orders.ibd": "old" };
const NEW: Names = { "mysql.ibd": "new", ibdata1: "new", "crm/people.ibd": "new" };

function write(folder: string, names: Names): void {
  for (const [name, text] of Object.entries(names)) {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

function read(folder: string): Names {
  if (!existsSync(folder)) return {};
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true }).filter((one) => one.isFile());
  const paths = entries.map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1));
  return Object.fromEntries(paths.sort().map((path) => [path, readFileSync(join(folder, path), "utf8")]));
}

/** What a server over the volume would find. */
function served(volume: string): Names {
  const names = Object.entries(read(volume)).filter(([path]) => !/^(?:\.ordinal|lost\+found)\//.test(path));
  return Object.fromEntries(names);
}

const ID = "r1";
const own = (volume: string) => join(volume, ".ordinal", `restore-${ID}`);

let volumes = 0;
function volumeOf(ordinal: number, filled = ordinal === 0): string {
  volumes += 1;
  const volume = join(root, String(volumes));
  write(volume, { ...OLD, "lost+found/kept": "theirs" });
  if (filled) write(own(volume), { ...prefixed("new", NEW), filled: "yes" });
  return volume;
}

function prefixed(folder: string, names: Names): Names {
  return Object.fromEntries(Object.entries(names).map(([name, text]) => [`${folder}/${name}`, text]));
}

async function run(volume: string, direction: Direction, ordinal = 0): Promise<string> {
  const done = await exchange(volume, { kind: "restore-exchange", id: ID, ordinal, direction });
  return done.ok ? done.value : `${done.failure.kind}: ${done.failure.message}`;
}

/** False when it came to its end before. */
async function killed(
  volume: string,
  direction: Direction,
  renames: number,
  ordinal: number,
): Promise<boolean> {
  left.renames = renames;
  try {
    await run(volume, direction, ordinal);
    return false;
  } catch (error) {
    expect(error).toBeInstanceOf(Killed);
    return true;
  } finally {
    left.renames = Number.POSITIVE_INFINITY;
  }
}

const count = (names: Names, text: string) => Object.values(names).filter((one) => one === text).length;

/** Nothing is lost, and what a server would find is of one of the two alone. */
function expectUnmixed(volume: string, isFilled: boolean): void {
  const [all, top] = [read(volume), served(volume)];
  expect(count(all, "old")).toBe(Object.keys(OLD).length);
  expect(count(all, "new")).toBe(isFilled ? Object.keys(NEW).length : 0);
  expect(Math.min(count(top, "old"), count(top, "new"))).toBe(0);
  expect(all["lost+found/kept"]).toBe("theirs");
}

test("in and back and in again: each time exactly the one or the other is served", async () => {
  const volume = volumeOf(0);
  for (const [direction, expected, kept] of [
    ["in", NEW, ["old", OLD]],
    ["in", NEW, ["old", OLD]],
    ["back", OLD, ["new", NEW]],
    ["back", OLD, ["new", NEW]],
    ["in", NEW, ["old", OLD]],
  ] as const) {
    expect(await run(volume, direction)).toMatch(
      /^The (?:restored|earlier) data of member 0 is in its place\.$/,
    );
    expect(served(volume)).toEqual(expected);
    expect(read(join(own(volume), kept[0]))).toEqual(kept[1]);
  }
});

test("a member that was not filled is left empty, and gets its own data back", async () => {
  const volume = volumeOf(2);
  await run(volume, "in", 2);
  expect(served(volume)).toEqual({});
  // It is seeded then, and serves.
  write(volume, NEW);
  await run(volume, "back", 2);
  expect(served(volume)).toEqual(OLD);
  await run(volume, "in", 2);
  expect(served(volume)).toEqual(NEW);
});

const ways = (["in", "back"] as const).flatMap((first) =>
  (["in", "back"] as const).flatMap((second) => [0, 1].map((ordinal) => [first, second, ordinal] as const)),
);
test.each(ways)(
  "killed after any rename of %s, and of %s after it, member %i ends as it is told",
  async (...way) => {
    const [first, second, ordinal] = way;
    const isFilled = ordinal === 0;
    let kills = 0;
    for (let one = 0, more = true; more; one += 1) {
      more = false;
      for (let two = 0, again = true; again; two += 1) {
        const volume = volumeOf(ordinal);
        // Back has something to do only once it was exchanged.
        if (first === "back") await run(volume, "in", ordinal);
        const cut = await killed(volume, first, one, ordinal);
        expectUnmixed(volume, isFilled);
        again = await killed(volume, second, two, ordinal);
        expectUnmixed(volume, isFilled);
        for (const last of [second, first, second] as const) {
          await run(volume, last, ordinal);
          const nothingBegan = last === "back" && !existsSync(join(own(volume), "step"));
          const expected = last === "back" || nothingBegan ? OLD : isFilled ? NEW : {};
          expect(served(volume), `${one} ${two} ${last}`).toEqual(expected);
          expectUnmixed(volume, isFilled);
        }
        more ||= cut;
        kills += Number(cut) + Number(again);
        rmSync(volume, { recursive: true });
      }
    }
    expect(kills).toBeGreaterThan(10);
  },
);

test("nothing is exchanged for a volume that was not filled", async () => {
  const volume = volumeOf(0, false);
  expect(await run(volume, "in")).toBe(
    "refused: The volume of member 0 was not filled, so nothing is exchanged.",
  );
  expect(served(volume)).toEqual(OLD);
  expect(await run(volume, "back")).toMatch(/nothing to take back/);
  expect(served(volume)).toEqual(OLD);
});

test("whatever a server has written meanwhile is in the way, at whatever point, and nothing is moved over it", async () => {
  for (let renames = 1; renames < 10; renames += 1) {
    const volume = volumeOf(0);
    await killed(volume, "in", renames, 0);
    const gone = Object.keys({ ...OLD, ...NEW }).find((name) => !existsSync(join(volume, name))) ?? "x";
    for (const name of [gone, "binlog.000001"]) {
      write(volume, { [name]: "foreign" });
      for (const direction of ["in", "back"] as const)
        expect(await run(volume, direction), `${renames} ${name}`).toMatch(
          /^refused: .* cannot be exchanged: /,
        );
      expect(readFileSync(join(volume, name), "utf8")).toBe("foreign");
      rmSync(join(volume, name.split("/")[0] ?? ""), { recursive: true });
    }
    expect(await run(volume, "back")).toBe("The earlier data of member 0 is in its place.");
    expect(served(volume)).toEqual(OLD);
  }
});

test("a name that has gone is told of", async () => {
  const volume = volumeOf(0);
  await killed(volume, "in", 3, 0);
  rmSync(join(volume, "mysql.ibd"));
  expect(await run(volume, "in")).toMatch(/^refused: .*: mysql\.ibd has gone from the volume; /);
});

test("a marker that says nothing stops everything", async () => {
  const volume = volumeOf(0);
  await run(volume, "in");
  writeFileSync(join(own(volume), "step"), "{");
  for (const direction of ["in", "back"] as const)
    expect(await run(volume, direction)).toMatch(/^refused: .*step cannot be read, so nobody knows/);
  expect(served(volume)).toEqual(NEW);
});

const forgetting = (volume: string) => forget(volume, { kind: "restore-forget", id: ID, ordinal: 0 });

test("what is forgotten is gone, with our folder, and what is served stays", async () => {
  const volume = volumeOf(0);
  await run(volume, "in");
  expect(await forgetting(volume)).toMatchObject({ ok: true });
  expect(served(volume)).toEqual(NEW);
  expect(existsSync(join(volume, ".ordinal"))).toBe(false);
  expect(await forgetting(volume)).toMatchObject({ ok: true });
  expect(await run(volume, "back")).toMatch(/nothing to take back/);
  expect(served(volume)).toEqual(NEW);
});

test("another restore's folder stays", async () => {
  const volume = volumeOf(0);
  await run(volume, "in");
  write(join(volume, ".ordinal/restore-r2"), { filled: "yes" });
  expect(await forgetting(volume)).toMatchObject({ ok: true });
  expect(readdirSync(join(volume, ".ordinal"))).toEqual(["restore-r2"]);
});

test("nothing is forgotten while it is half exchanged", async () => {
  const volume = volumeOf(0);
  await killed(volume, "in", 4, 0);
  expect(await forgetting(volume)).toMatchObject({
    failure: { kind: "refused", message: expect.stringContaining("half exchanged") },
  });
  await run(volume, "back");
  expect(served(volume)).toEqual(OLD);
});
