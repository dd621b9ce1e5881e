/** Which backup a restore is made of, from the bucket alone; whatever cannot be done is refused with what could be. */
import { expect, test } from "vitest";
import { checkRestore } from "../../../shared/backup/fill.ts";
import { readDocument } from "../../../shared/backup/holdings.ts";
import { manifestKey, partKey, proofKey } from "../../../shared/backup/layout.ts";
import { makeBackup } from "../../../shared/backup/make.ts";
import { decodeManifest, encodeProof } from "../../../shared/backup/manifest.ts";
import { placeOf, type Work } from "../../../shared/backup/work.ts";
import type { RestoreTarget } from "../../../shared/model/restore.ts";
import { BACKUP_TASK, CLUSTER, SETTINGS, SOURCE, workOn } from "../../support/job-work.ts";
import { createMemoryStore } from "../../support/memory-store.ts";
import { newIdentity, newIdentityText } from "../../support/streams.ts";

const slot = (day: number) => `2026-11-${String(day).padStart(2, "0")}T03:00:00Z`;
const OTHER = { namespace: "shop", name: "crm", uid: "00000000-0000-4000-8000-000000000001" };
const NAMESAKE = { ...CLUSTER, uid: "00000000-0000-4000-8000-000000000002" };

function bucket(more: Partial<Work> = {}) {
  const store = createMemoryStore({ partBytesMin: 1 });
  const work = workOn(store, more);
  return {
    store,
    work,
    async backup(days: readonly number[], cluster = CLUSTER, task: Partial<typeof BACKUP_TASK> = {}) {
      for (const day of days) {
        const made = await makeBackup(
          { ...work, cluster },
          { ...BACKUP_TASK, slot: slot(day), ...task },
          SOURCE,
        );
        expect(made).toMatchObject({ ok: true });
      }
    },
    async damage(day: number) {
      const slotMs = Date.parse(slot(day));
      const document = await readDocument(store, manifestKey(placeOf(work), slotMs));
      const read = document.ok && decodeManifest(document.value.text, { clusterUid: CLUSTER.uid, slotMs });
      const name = read && read.kind === "valid" ? (read.value.parts[0]?.name ?? "") : "";
      await store.remove(partKey(placeOf(work), { slotMs, attempt: 1, name }));
    },
    async failProof(day: number) {
      const slotMs = Date.parse(slot(day));
      const document = await readDocument(store, manifestKey(placeOf(work), slotMs));
      const manifestSha256 = document.ok ? document.value.sha256 : "";
      const proof = {
        v: 1,
        clusterUid: CLUSTER.uid,
        slot: slot(day),
        manifestSha256,
        at: slot(day),
      } as const;
      const text = encodeProof({ ...proof, tookMs: 1, fault: "a table is damaged", checked: [] });
      await store.put(proofKey(placeOf(work), slotMs), Buffer.from(text));
    },
    /** What the check says of a restore. */
    async says(
      target: RestoreTarget,
      from: string | null = null,
      as: Work = work,
      begunAt = "2026-11-30T00:00:00.000Z",
    ): Promise<string> {
      const said = await checkRestore(as, {
        ...{ kind: "restore-check", id: "r1", store: "backups", from, target, begunAt },
      });
      return said.ok ? said.value : `${said.failure.kind}: ${said.failure.message}`;
    },
  };
}

const NEWEST = { kind: "backup", slot: null } as const;
const of = (day: number) => ({ kind: "backup", slot: slot(day) }) as const;

test("the newest, or the one that is named", async () => {
  const { backup, says } = bucket();
  await backup([20, 21, 22]);
  const holds = "(MySQL 9.7.4, 1 MiB, up to 00000000-0000-0000-0000-000000000000:1-100)";
  expect(await says(NEWEST)).toBe(
    `The physical backup of ${slot(22)} of shop/mysql ${holds} can be restored.`,
  );
  expect(await says(of(21))).toContain(`The physical backup of ${slot(21)} of shop/mysql`);
});

test("the newest is that of the moment at which the restore was begun, whatever comes later", async () => {
  const { backup, says, work } = bucket({ clock: { now: () => clockMs, sleep: () => Promise.resolve() } });
  let clockMs = Date.parse(slot(20));
  await backup([20]);
  const begunAt = new Date(clockMs).toISOString();
  clockMs += 1;
  await backup([19, 21]);
  expect(await says(NEWEST, null, work, begunAt)).toMatch(
    new RegExp(`^The physical backup of ${slot(20)} .* can be restored\\.$`),
  );
  expect(await says(NEWEST, null, work)).toContain(`backup of ${slot(21)}`);
});

test("one that is damaged or failed its proof is passed over, and refused when it is named", async () => {
  const { backup, says, damage, failProof } = bucket();
  await backup([20, 21, 22]);
  await damage(21);
  await failProof(22);
  expect(await says(NEWEST)).toMatch(
    new RegExp(`^The physical backup of ${slot(20)} .* cannot be restored: 2\\.$`),
  );
  expect(await says(of(21))).toMatch(
    /^refused: The backup cannot be restored: that of 2026-11-21T03:00:00Z: part .* is missing; the nearest that can be restored: 2026-11-20T03:00:00Z\.$/,
  );
  expect(await says(of(22))).toContain(
    "its proof failed (a table is damaged); the nearest that can be restored",
  );
  await damage(20);
  expect(await says(NEWEST)).toMatch(
    /^refused: None of the backups can be restored; the newest: .*its proof failed/,
  );
});

test("a slot without a backup is refused with the nearest", async () => {
  const { backup, says } = bucket();
  await backup([18, 20, 22, 24]);
  expect(await says(of(21))).toBe(
    `refused: There is no backup of ${slot(21)}; the nearest that can be restored: ${slot(20)} and ${slot(22)}.`,
  );
  expect(await says(of(1))).toContain(`the nearest that can be restored: ${slot(18)}.`);
});

test("what was written after a backup is refused with the nearest backups", async () => {
  const { backup, says } = bucket();
  await backup([20, 22]);
  expect(await says({ kind: "time", at: "2026-11-21T10:00:00Z" })).toBe(
    `refused: What was written after a backup is not archived; the nearest that can be restored: ${slot(20)} and ${slot(22)}.`,
  );
  expect(await says({ kind: "gtid", set: "00000000-0000-0000-0000-000000000000:1-90" })).toContain(slot(22));
});

test("of another cluster, by its uid and by its name, also when ours was never there", async () => {
  const { backup, says } = bucket();
  await backup([20], OTHER);
  for (const from of [OTHER.uid, "shop/crm"])
    expect(await says(NEWEST, from)).toContain(`The physical backup of ${slot(20)} of shop/crm`);
  const there = `there are those of shop/crm (${OTHER.uid}, newest ${slot(20)})`;
  expect(await says(NEWEST)).toBe(
    `refused: There is no backup of the cluster ${CLUSTER.uid} in backups; ${there}.`,
  );
  expect(await says(NEWEST, "shop/blog")).toBe(
    `refused: No cluster shop/blog has backups in backups; ${there}.`,
  );
});

test("a name that two clusters had is refused with both uids", async () => {
  const { backup, says } = bucket();
  await backup([20]);
  await backup([21], NAMESAKE);
  expect(await says(NEWEST, "shop/mysql")).toBe(
    `refused: 2 clusters with backups in backups were called shop/mysql: shop/mysql (${NAMESAKE.uid}, newest ${slot(21)}), ` +
      `shop/mysql (${CLUSTER.uid}, newest ${slot(20)}); name one by its uid.`,
  );
});

test("an empty bucket is told of as such", async () => {
  expect(await bucket().says(NEWEST, "shop/crm")).toBe(
    "refused: No cluster shop/crm has backups in backups; there are none of any other either.",
  );
});

test("an encrypted one needs its own key", async () => {
  const ageIdentity = newIdentityText();
  const keys = (identity: string) => ({ ageRecipients: [newIdentity(identity).recipient] });
  const { backup, says, work } = bucket({ settings: { ...SETTINGS, ...keys(ageIdentity), ageIdentity } });
  await backup([20]);
  expect(await says(NEWEST)).toContain("can be restored");
  const without = { ...work, settings: { ...work.settings, ageIdentity: null } };
  expect(await says(NEWEST, null, without)).toBe(
    "refused: The backup is encrypted; put ageIdentity into the Secret backups to have it read.",
  );
  const another = newIdentityText();
  const wrong = { ...work, settings: { ...SETTINGS, ...keys(another), ageIdentity: another } };
  expect(await says(NEWEST, null, wrong)).toMatch(
    /^refused: The backup is encrypted for other keys than the ageIdentity/,
  );
});

test("what the image cannot take over is refused", async () => {
  const { backup, says, work } = bucket();
  await backup([20]);
  const older = { ...work, copies: { ...work.copies, misfit: async () => "The image has 9.6.0." } };
  expect(await says(NEWEST, null, older)).toBe("refused: The image has 9.6.0.");
});

test("a backup of some databases says that the rest and the accounts are not in it", async () => {
  const { backup, says } = bucket();
  await backup([20], CLUSTER, { method: "logical", databases: ["shop", "crm"] });
  expect(await says(NEWEST)).toMatch(/can be restored\. It holds shop, crm alone, and no accounts\.$/);
});

test("while the store is away nothing is said of backups, and a document that cannot be read hides no newer one", async () => {
  const fails = { broken: "" };
  const store = createMemoryStore({
    partBytesMin: 1,
    fault: ({ verb, key }) =>
      fails.broken !== "" && verb === "read" && key.includes(fails.broken)
        ? { when: "before", failure: { kind: "refused", message: "larger than it may be" } }
        : fails.broken === "all" && verb === "list"
          ? { when: "before", failure: { kind: "transient", message: "the store is away" } }
          : null,
  });
  const work = workOn(store);
  const { says } = bucket();
  for (const day of [20, 22]) await makeBackup(work, { ...BACKUP_TASK, slot: slot(day) }, SOURCE);
  fails.broken = "20261122T030000Z";
  expect(await says(NEWEST, null, work)).toMatch(
    /^refused: Not all that the store holds could be read, .* name its slot/,
  );
  expect(await says(of(20), null, work)).toContain(`backup of ${slot(20)}`);
  fails.broken = "all";
  expect(await says(NEWEST, null, work)).toMatch(/^transient: the store is away/);
});
