/** `kubectl ordinal prune` on a bucket in memory: what goes, why the rest stays, and when nothing goes. */
import { describe, expect, test } from "vitest";
import { encodeBackups } from "../../../shared/annotations/backups.ts";
import { ANNOTATION } from "../../../shared/annotations/keys.ts";
import { manifestKey, partKey } from "../../../shared/backup/layout.ts";
import { pruningSchema } from "../../../shared/model/documents.ts";
import { memory } from "../../support/backups.ts";
import type { MemoryStore } from "../../support/memory-store.ts";
import {
  annotated,
  type Faults,
  FIRST,
  fourNights,
  ordinal,
  PLACE,
  put,
  SECOND,
  slotsOf,
  UID,
} from "./backups-support.ts";

describe("prune", () => {
  const keepOne = annotated({ [ANNOTATION.backupRetention]: "1" });
  const TABLE = `
The retention of shop/mysql is 1: 2 stay, 2 go (1.8 KiB).

SLOT                  AGE  SIZE      FATE    REASON
2026-11-23T02:00:00Z  8h   910 B     keep    the newest that can be restored
2026-11-22T02:00:00Z  32h  910 B     keep    the newest that was proven
2026-11-21T02:00:00Z  2d   910 B     delete  no rule keeps it
2026-11-20T02:00:00Z  3d   910 B     delete  no rule keeps it
2026-11-20T03:00:00Z  3d   1 object  delete  left by an attempt that made no backup

Nothing was changed. Without --dry-run it is done.
`.trimStart();

  async function withLeftover(fault?: Faults): Promise<MemoryStore> {
    let armed = false;
    const store = await fourNights((call) => (armed ? (fault?.(call) ?? null) : null));
    await put(
      store,
      partKey(PLACE, { slotMs: FIRST + 3_600_000, attempt: 1, name: "volume" }),
      new Uint8Array(9),
    );
    armed = true;
    return store;
  }

  test("--dry-run says which go and why the others stay, and changes nothing", async () => {
    const store = await withLeftover();
    const before = [...store.objects.keys()];
    expect(await ordinal(store, "prune mysql --dry-run", { set: keepOne })).toMatchObject({
      exitCode: 0,
      err: "",
      out: TABLE,
    });
    expect([...store.objects.keys()]).toEqual(before);
  });

  test("deletes just these", async () => {
    const store = await withLeftover();
    const { exitCode, out } = await ordinal(store, "prune mysql", { set: keepOne });
    expect(exitCode).toBe(0);
    expect(out).toContain("2026-11-20T02:00:00Z  3d   910 B     deleted  no rule keeps it\n");
    expect(out).not.toContain("Nothing was changed");
    expect(slotsOf(store)).toEqual(["20261122T020000Z", "20261123T020000Z"]);
    expect([...store.objects.keys()].every((key) => /2026112[23]T020000Z/.test(key))).toBe(true);
    const again = await ordinal(store, "prune mysql", { set: keepOne });
    expect(again.out).toContain("2 stay, 0 go (0 B).");
  });

  test("by the calendar says of which time zone", async () => {
    const week = { [ANNOTATION.backupRetention]: "7d", [ANNOTATION.backupTimezone]: "Europe/Berlin" };
    const { out } = await ordinal(await fourNights(), "prune mysql --dry-run", { set: annotated(week) });
    expect(out).toMatch(
      /^The retention of shop\/mysql is 7d by the calendar of Europe\/Berlin: 4 stay, 0 go \(0 B\)\.\n/,
    );
    expect(out).toContain("2026-11-21T02:00:00Z  2d   910 B  keep  the newest of its day");
  });

  test("without a retention keeps every backup", async () => {
    const store = await fourNights();
    const { out } = await ordinal(store, "prune mysql");
    expect(out).toMatch(/^The retention of shop\/mysql keeps every backup: 4 stay, 0 go/);
    expect(slotsOf(store)).toHaveLength(4);
  });

  test("leaves what is being worked on", async () => {
    const slot = "2026-11-20T02:00:00Z";
    const remembered = encodeBackups({ ...memory(), clusterUid: UID, proving: { slot, begunAt: slot } });
    const store = await fourNights();
    const { out } = await ordinal(store, "prune mysql", {
      set: annotated({ ...remembered, [ANNOTATION.backupRetention]: "1" }),
    });
    expect(out).toContain(`${slot}  3d   910 B  keep     it is being worked on`);
    expect(slotsOf(store)).toContain("20261120T020000Z");
  });

  const away = { when: "before", failure: { kind: "transient", message: "The store is away." } } as const;

  test.each<[string, Faults]>([
    ["a page of the listing", ({ verb, nth }) => (verb === "list" && nth > 1 ? away : null)],
    ["a manifest", ({ verb, key }) => (verb === "read" && key === manifestKey(PLACE, SECOND) ? away : null)],
  ])("deletes nothing when it could not read %s", async (_, fault) => {
    const store = await fourNights(fault);
    const before = [...store.objects.keys()];
    for (const line of ["prune mysql", "prune mysql --dry-run"]) {
      const { exitCode, out, err } = await ordinal(store, line, { set: keepOne });
      expect([exitCode, out]).toEqual([1, ""]);
      expect(err).toContain("The store is away.");
    }
    expect([...store.objects.keys()]).toEqual(before);
  });

  test("what is under a lock is kept whole, and that is no failure", async () => {
    const locked = { when: "before", failure: { kind: "refused", message: "it is under a lock" } } as const;
    const store = await fourNights(({ verb, key }) =>
      verb === "remove" && key === manifestKey(PLACE, FIRST) ? locked : null,
    );
    const { exitCode, out } = await ordinal(store, "prune mysql", { set: keepOne });
    expect(exitCode).toBe(0);
    expect(out).toContain("2026-11-20T02:00:00Z  3d   910 B  kept     it is under a lock");
    expect(slotsOf(store)).toContain("20261120T020000Z");
    expect([...store.objects.keys()].filter((key) => key.includes("20261120T02"))).toHaveLength(3);
    expect(slotsOf(store)).not.toContain("20261121T020000Z");
  });

  test("a store that fails in between ends it with 1, and all of it is still told", async () => {
    const store = await fourNights(({ verb, nth }) => (verb === "remove" && nth > 0 ? away : null));
    const { exitCode, out, err } = await ordinal(store, "prune mysql -o json", { set: keepOne });
    expect([exitCode, err]).toEqual([
      1,
      expect.stringContaining("Not all of it was deleted: The store is away."),
    ]);
    const document = pruningSchema.parse(JSON.parse(out));
    expect(document.items.map(({ fate }) => fate)).toEqual(["keep", "keep", "failed", "failed"]);
  });
});
