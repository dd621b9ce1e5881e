/**
 * Whatever becomes of what lies in the bucket, a drill never takes it for the backup that was made: each object is changed,
 * cut, taken away and put in another's place, on a real S3 server, and the program of Jobs refuses with the object's name. What
 * is damaged is written as any object is, so that the store itself vouches for it.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createS3Store } from "../../shared/adapters/s3/store.ts";
import type { ObjectStore } from "../../shared/ports/object-store.ts";
import { backupOf, type JobRuns, openJobRuns, proofOf, slotAt } from "../support/job-runs.ts";
import { backupIn } from "../support/job-work.ts";
import { type MysqlHere, mysqlPrograms, startMysqlHere, whyNoMysqlHere } from "../support/mysql-here.ts";
import { type S3Server, startS3Server, whyNoS3Server } from "../support/s3-server.ts";
import { value } from "./store-cases.ts";

const reason = whyNoMysqlHere() ?? whyNoS3Server();
const OBJECT_BYTES_MAX = 64 * 1024 * 1024;

const SCHEMA = [
  "CREATE DATABASE shop",
  "CREATE TABLE shop.orders (id INT PRIMARY KEY, note TEXT)",
  "INSERT INTO shop.orders VALUES (1, 'one'), (2, 'two')",
];

/** Of each kind two, so that their objects can be swapped: minutes of their slots. */
const MADE = [
  [1, "physical", false],
  [2, "physical", false],
  [3, "logical", true],
  [4, "logical", true],
] as const;

type Damage = (bytes: Buffer) => Buffer | null;
const damages: Readonly<Record<string, Damage>> = {
  "one bit of it is another": (bytes) => {
    const changed = Buffer.from(bytes);
    const middle = bytes.length >> 1;
    changed.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
    return changed;
  },
  "its last byte is missing": (bytes) => bytes.subarray(0, -1),
  "a byte follows it": (bytes) => Buffer.concat([bytes, Buffer.from([0])]),
  "it is not there": () => null,
};

describe.skipIf(reason !== null)(`damage${reason === null ? "" : ` (skipped: ${reason})`}`, () => {
  let mysql: MysqlHere;
  let s3: S3Server;
  let store: ObjectStore;
  let runs: JobRuns;

  beforeAll(async () => {
    const bin = await mysqlPrograms();
    [mysql, s3] = await Promise.all([startMysqlHere(bin), startS3Server()]);
    store = createS3Store(s3.store);
    runs = openJobRuns(mysql, bin, s3.store);
    for (const sql of SCHEMA) value(await mysql.session.query(sql));
    for (const [minute, method, encrypts] of MADE) {
      const made = await runs.start(backupOf(mysql, minute, { method }), { encrypts }).done;
      expect([made.code, made.words], made.log).toEqual([0, expect.stringContaining(slotAt(minute))]);
    }
  });
  afterAll(async () => {
    store?.close();
    await Promise.all([mysql?.stop(), s3?.close()]);
    runs?.close();
  });

  const keysOf = async (minute: number): Promise<readonly string[]> =>
    (await backupIn(store, slotAt(minute)))?.keys.filter((key) => !key.endsWith("proof.json")) ?? [];
  const bytesOf = async (key: string) => Buffer.from(value(await store.read(key, OBJECT_BYTES_MAX)));
  const write = async (key: string, bytes: Buffer | null) =>
    value(await (bytes === null ? store.remove(key) : store.put(key, bytes)));
  const drill = async (minute: number, encrypts: boolean) =>
    await runs.start(proofOf(minute), { encrypts }).done;
  /** A part has its name told, a manifest that of its backup or its key. */
  const namesOf = (key: string, minute: number) =>
    key.endsWith("manifest.json") ? [`manifest of the backup of ${slotAt(minute)}`, key] : [key];

  async function expectRefusal(minute: number, encrypts: boolean, keys: readonly string[], how: string) {
    const { code, words, log } = await drill(minute, encrypts);
    expect(code, `${keys.join()}: ${how}\n${log}`).toBe(1);
    const names = keys.flatMap((key) => namesOf(key, minute));
    expect(
      names.some((name) => words.includes(name)),
      `${keys.join()}: ${how}, and it is told: ${words}`,
    ).toBe(true);
    const backup = await backupIn(store, slotAt(minute));
    expect(backup?.proof?.fault ?? "no result", how).not.toBeNull();
  }

  test.each(MADE.filter((_, index) => index % 2 === 0))(
    "every object of backup %i, %s, is refused when it is not as it was",
    async (minute, _method, encrypts) => {
      const keys = await keysOf(minute);
      expect(keys.length).toBe(encrypts ? 2 : 3);
      for (const key of keys) {
        const before = await bytesOf(key);
        for (const [how, damage] of Object.entries(damages)) {
          await write(key, damage(before));
          await expectRefusal(minute, encrypts, [key], how);
        }
        await write(key, before);
      }
      expect((await drill(minute, encrypts)).code).toBe(0);
    },
  );

  test.each([
    ["data and rows of a physical one", [1, "data-"], [1, "rows-"]],
    ["data of two physical ones", [1, "data-"], [2, "data-"]],
    ["dumps of two logical ones", [3, "dump-"], [4, "dump-"]],
  ] as const)("%s that were swapped are refused", async (_, [minute, name], [otherMinute, otherName]) => {
    const encrypts = name === "dump-";
    const find = async (of: number, part: string) =>
      (await keysOf(of)).find((key) => key.includes(`/${part}`)) ?? "none";
    const [key, other] = [await find(minute, name), await find(otherMinute, otherName)];
    const [mine, its] = [await bytesOf(key), await bytesOf(other)];
    await write(key, its);
    await write(other, mine);
    await expectRefusal(minute, encrypts, [key, other], "swapped");
    await write(key, mine);
    await write(other, its);
  });

  test("a manifest in the place of another one is refused", async () => {
    const [key, other] = [(await keysOf(1))[0] ?? "", (await keysOf(2))[0] ?? ""];
    const mine = await bytesOf(key);
    await write(key, await bytesOf(other));
    await expectRefusal(1, false, [key], "swapped");
    await write(key, mine);
  });
});
