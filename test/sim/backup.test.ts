/** Backups by the shipped passes on a simulated API server: from the slot to the proof, and that nothing else waits for them. */
import { expect, test } from "vitest";
import { LABEL } from "../../shared/annotations/keys.ts";
import { fail } from "../../shared/model/outcome.ts";
import { eventReasons } from "./end-state.ts";
import { REF } from "./ref.ts";
import { WORKFLOWS } from "./workflows.ts";
import type { World } from "./world.ts";

const DAY_MS = 86_400_000;

async function due(): Promise<World> {
  const workflow = WORKFLOWS.find(({ name }) => name === "a backup that is due");
  if (workflow === undefined) throw new Error("there is no such workflow");
  return workflow.due(1);
}

async function jobNames(world: World): Promise<readonly string[]> {
  const jobs = await world.sim.kube.list("Job", REF);
  return jobs.ok ? jobs.value.map(({ name }) => name) : [];
}

function end(world: World, name: string, type: "Complete" | "Failed"): void {
  const lastTransitionTime = new Date(world.clock.now()).toISOString();
  const condition = { type, status: "True", reason: "AsATest", message: "as a test", lastTransitionTime };
  world.sim.put("Job", { ...REF, name }, { status: { conditions: [condition] } });
}

const midnight = (world: World) => new Date(Math.floor(world.clock.now() / DAY_MS) * DAY_MS).toISOString();
const stampOf = (world: World) => midnight(world).slice(0, 19).replaceAll(/\D/g, "");
const slotOf = (world: World) => midnight(world).replace(".000Z", "Z");

/** Named by the slot, and by when it was begun. */
async function proofOf(world: World): Promise<string> {
  const names = await jobNames(world);
  return names.findLast((name) => name.startsWith(`mysql-proof-${stampOf(world)}-`)) ?? "none";
}

test("a slot becomes a Job of the set, then a backup, then a proof, and the next slot comes", async () => {
  const world = await due();
  await world.settle();
  const backup = `mysql-backup-${stampOf(world)}-1`;
  expect(await jobNames(world)).toEqual([backup]);
  const job = await world.sim.kube.read("Job", { ...REF, name: backup });
  const set = await world.sim.kube.read("StatefulSet", REF);
  expect(job.ok && set.ok && job.value.ownerUid === set.value.uid).toBe(true);
  expect(job.ok && job.value.labels[LABEL.managed]).toBe("true");

  const slot = slotOf(world);
  end(world, backup, "Complete");
  await world.settle();
  expect(world.annotation("ordinal.dev/last-backup")).toBe(slot);
  const proof = await proofOf(world);
  expect(await jobNames(world)).toEqual([backup, proof]);
  end(world, proof, "Complete");
  await world.settle();
  expect(world.annotation("ordinal.dev/last-proven")).toBe(slot);
  expect(world.annotation("ordinal.dev/phase")).toBe("Healthy");
  expect(await eventReasons(world)).toEqual(
    expect.arrayContaining(["BackupStarted", "BackupCompleted", "BackupProven"]),
  );

  for (let hour = 0; hour < 24; hour += 1) await world.clock.pass(DAY_MS / 24);
  await world.settle();
  expect(await jobNames(world)).toEqual([backup, `mysql-backup-${stampOf(world)}-1`, proof].sort());
});

test("a tick of the schedules begins what is due, and the end of a Job is noted at once, without any sweep", async () => {
  const world = await due();
  const { runner } = world.host({ lookEveryMs: 3_600_000, deliver: (emit) => emit() });
  // The set that was there when the watch began wakes nobody from here on.
  await world.clock.pass(10_000);
  const nextMidnight = Date.parse(midnight(world)) + DAY_MS;
  const [first = ""] = await jobNames(world);
  end(world, first, "Complete");
  await world.clock.pass(1_000);
  expect(world.annotation("ordinal.dev/last-backup")).toBe(slotOf(world));
  end(world, await proofOf(world), "Complete");
  await world.clock.pass(1_000);
  expect(world.annotation("ordinal.dev/last-proven")).toBe(slotOf(world));

  const hours = Math.floor((nextMidnight - world.clock.now()) / 3_600_000);
  for (let hour = 0; hour < hours; hour += 1) await world.clock.pass(3_600_000);
  await world.clock.pass(nextMidnight + 1_000 - world.clock.now());
  const next = `mysql-backup-${stampOf(world)}-1`;
  expect(await jobNames(world)).not.toContain(next);
  runner.backupTick();
  await world.clock.pass(1_000);
  expect(await jobNames(world)).toContain(next);
  await world.clock.run(runner.stop());
});

test("a failed attempt is made again after a minute, by another Job", async () => {
  const world = await due();
  await world.settle();
  end(world, `mysql-backup-${stampOf(world)}-1`, "Failed");
  await world.settle();
  expect(await jobNames(world)).toHaveLength(1);
  await world.clock.pass(61_000);
  await world.settle();
  expect(await jobNames(world)).toEqual([1, 2].map((attempt) => `mysql-backup-${stampOf(world)}-${attempt}`));
});

/** As a container leaves them, beside the Job that they are of. */
function lastWords(world: World, job: string, message: string): void {
  const labels = { "batch.kubernetes.io/job-name": job };
  world.sim.put(
    "Pod",
    { ...REF, name: `${job}-x7k2p` },
    {
      metadata: { labels },
      status: {
        phase: "Failed",
        containerStatuses: [
          { name: "job", restartCount: 0, state: { terminated: { exitCode: 1, message } } },
        ],
      },
    },
  );
}

test("a slot that is given up says why in the last words of its Job, whatever stands in them", async () => {
  const world = await due();
  await world.settle();
  for (const attempt of [1, 2, 3, 4, 5]) {
    const job = `mysql-backup-${stampOf(world)}-${attempt}`;
    lastWords(world, job, `no room \u202E\n${"x".repeat(4_000)}.`);
    end(world, job, "Failed");
    await world.settle();
    await world.clock.pass(65 * 60_000);
    await world.settle();
  }
  const conditions = world.annotation("ordinal.dev/conditions") ?? "";
  expect(conditions).toContain("BackupFailed");
  expect(conditions).toContain("no room");
  expect(conditions).not.toContain("\u202E");
});

test("a Job that vanishes while it runs is made again, under its name; one that vanishes later is not missed", async () => {
  const world = await due();
  await world.settle();
  const backup = `mysql-backup-${stampOf(world)}-1`;
  world.sim.drop("Job", { ...REF, name: backup });
  expect(await jobNames(world)).toEqual([]);
  await world.settle();
  await world.clock.pass(60_000);
  await world.settle();
  expect(await jobNames(world)).toEqual([backup]);
  end(world, backup, "Complete");
  await world.settle();
  const proof = await proofOf(world);
  expect(await jobNames(world)).toEqual([backup, proof]);
  world.sim.drop("Job", { ...REF, name: backup });
  await world.clock.pass(60_000);
  await world.settle();
  expect(await jobNames(world)).toEqual([proof]);
});

test("a request is answered once", async () => {
  const world = await due();
  await world.settle();
  end(world, `mysql-backup-${stampOf(world)}-1`, "Complete");
  world.annotate({ "ordinal.dev/backup-now": "logical", "ordinal.dev/backup-proof": "never" });
  await world.settle();
  expect(world.annotation("ordinal.dev/backup-now")).toBeUndefined();
  expect(await jobNames(world)).toHaveLength(2);
  await world.settle();
  expect(await jobNames(world)).toHaveLength(2);
});

test("a backup is proven as often as somebody asks for it, each time anew", async () => {
  const world = await due();
  await world.settle();
  end(world, `mysql-backup-${stampOf(world)}-1`, "Complete");
  world.annotate({ "ordinal.dev/backup-proof": "never" });
  await world.settle();
  const proofs = new Set<string>();
  for (const asked of ["true", slotOf(world)]) {
    await world.clock.pass(5_000);
    world.annotate({ "ordinal.dev/prove-now": asked });
    await world.settle();
    expect(world.annotation("ordinal.dev/prove-now")).toBeUndefined();
    const proof = await proofOf(world);
    proofs.add(proof);
    end(world, proof, "Complete");
    await world.settle();
    expect(world.annotation("ordinal.dev/last-proven")).toBe(slotOf(world));
  }
  expect([...proofs].map((name) => name === "none")).toEqual([false, false]);
});

test("a backup that fails a later proof is told as proven no longer, until it passes one again", async () => {
  const world = await due();
  await world.settle();
  end(world, `mysql-backup-${stampOf(world)}-1`, "Complete");
  world.annotate({ "ordinal.dev/backup-proof": "never" });
  await world.settle();
  for (const fate of ["Complete", "Failed", "Complete"] as const) {
    await world.clock.pass(5_000);
    world.annotate({ "ordinal.dev/prove-now": "true" });
    await world.settle();
    end(world, await proofOf(world), fate);
    await world.settle();
    const isProven = fate === "Complete";
    expect(world.annotation("ordinal.dev/last-proven")).toBe(isProven ? slotOf(world) : undefined);
    const conditions = world.annotation("ordinal.dev/conditions") ?? "";
    expect(conditions.includes("ProofFailed"), conditions).toBe(!isProven);
  }
});

test("where Jobs cannot be read a dead primary is failed over all the same, and no second Job is made", async () => {
  const world = await due();
  await world.settle();
  const forbidden = fail("refused", "403: jobs.batch is forbidden");
  world.sim.setFaults(({ kind }) => (kind === "Job" && !forbidden.ok ? { before: forbidden.failure } : {}));
  world.kubelet.kill(0);
  await world.settle();
  await world.clock.pass(60_000);
  await world.settle();
  world.sim.setFaults(() => ({}));
  expect(world.annotation("ordinal.dev/phase")).toBe("Healthy");
  expect(await eventReasons(world)).toContain("FailoverCompleted");
  expect(await jobNames(world)).toHaveLength(1);
});
