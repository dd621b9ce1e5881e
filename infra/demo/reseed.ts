/** The demo's end: a volume is lost under load, and then the books are closed and compared. */
import { inject } from "../../test/support/faults.ts";
import { checkLedger, type Verdict } from "../../test/support/ledger.ts";
import { compareServers, withServer } from "../../test/support/servers.ts";
import { expectThat, waitFor } from "../../test/support/wait.ts";
import { failedWrites, type Workload } from "../../test/support/workload.ts";
import type { PodSeen } from "../../test/support/world.ts";
import { compareShop, expectNoFailedWrite, serving, waitHealthy, waitReplicated } from "./adopt.ts";
import { addressOf, look, PLACE, type Stage } from "./stage.ts";

type Found = (sentence: string) => void;

async function identityOf(stage: Stage, pod: PodSeen): Promise<string> {
  return await withServer(addressOf(stage, pod), async ({ ask }) => {
    const [row] = await ask("SELECT @@server_uuid AS uuid");
    return String(row?.["uuid"]);
  });
}

export async function loseVolume(stage: Stage, workload: Workload, found: Found): Promise<void> {
  const { cluster, tale, signal } = stage;
  const { namespace, name } = PLACE;
  const { replicas } = await serving(stage);
  const victim = replicas.at(-1);
  if (victim === undefined) return expectThat(false, "there is no replica");
  const before = await identityOf(stage, victim);
  const claim = `data-${victim.name}`;
  tale.say("demo", `kubectl delete pvc ${claim}; kubectl delete pod ${victim.name}`);
  const startedAt = performance.now();
  await inject(cluster, "lose-volume", { namespace, pod: victim.name, uid: victim.uid, claim });
  await waitFor(`${victim.name} to be a new Pod in its role`, { timeoutMs: 240_000, signal }, async () => {
    const world = await look(stage);
    const pod = world.pods.find((candidate) => candidate.name === victim.name);
    const role = pod?.labels["ordinal.dev/role"];
    if (pod !== undefined && pod.uid !== victim.uid && role === "replica" && pod.ready) {
      return { ok: true, value: pod };
    }
    const saw =
      pod === undefined ? "no Pod" : `${pod.uid === victim.uid ? "the old Pod" : "a new Pod"}, role ${role}`;
    return { ok: false, saw: `${saw}; ${world.readiness}` };
  });
  const world = await waitHealthy(stage, 60_000);
  await waitReplicated(stage, 30_000);
  const tookMs = performance.now() - startedAt;
  const pod = world.pods.find((candidate) => candidate.name === victim.name);
  expectThat(pod !== undefined, `${victim.name} is gone again`);
  if (pod !== undefined) {
    expectThat((await identityOf(stage, pod)) !== before, `${name} came back with its old data`);
  }
  const rows = await compareShop(stage);
  const acked = expectNoFailedWrite(workload);
  found(
    `${victim.name} lost its volume and was seeded again in ${(tookMs / 1000).toFixed(1)} s; ` +
      `${acked} writes acknowledged, 0 failed; ${rows}`,
  );
}

export interface Books {
  readonly acked: number;
  readonly lost: number;
}

function quarrel({ lost, ghosts, strangers }: Verdict): string | null {
  if (lost.length > 0) return `${lost.length} acknowledged writes are lost, the first is ${lost[0]}`;
  if (ghosts.length > 0) return `${ghosts.length} refused writes are there, the first is ${ghosts[0]}`;
  return strangers.length > 0 ? `${strangers.length} rows were written by nobody` : null;
}

/** `tell` gets the figures even when they are bad: they are what a failed run is about. */
export async function closeBooks(
  stage: Stage,
  workload: Workload,
  tell: { readonly found: Found; readonly books: (books: Books) => void },
): Promise<void> {
  const ledger = await workload.stop();
  const { primary, replicas } = await serving(stage);
  const verdict = await checkLedger(ledger, addressOf(stage, primary));
  tell.books({ acked: verdict.acked, lost: verdict.lost.length });
  const wrong = quarrel(verdict);
  expectThat(wrong === null, wrong ?? "");
  const others = replicas.map((replica) => addressOf(stage, replica));
  const compared = await compareServers(addressOf(stage, primary), others, { except: [], timeoutMs: 30_000 });
  expectThat(compared.differences.length === 0, `servers differ: ${compared.differences[0]}`);
  tell.found(
    `${verdict.acked} acknowledged writes, 0 lost, longest pause ${Math.round(ledger.longestGapMs)} ms; ` +
      `${failedWrites(ledger)} attempts failed while the primary changed; ` +
      `${compared.tables} tables equal on ${compared.servers} servers`,
  );
}
