/**
 * The whole story, step after step. Each step says what it found in the world; the first one that does not
 * hold ends the story. What was started in this process is stopped in every case, the cluster stays.
 */
import { startLocalHost } from "../../shared/hosts/local/start.ts";
import type { Log } from "../../shared/ports/host.ts";
import type { Workload } from "../../test/support/workload.ts";
import { localName } from "../images/ordinal/image.ts";
import type { ClusterStatus } from "../local/index.ts";
import { dropTable, restoreElsewhere, restoreInPlace } from "./accident.ts";
import { adopt, useServices } from "./adopt.ts";
import { backUp } from "./backups.ts";
import { handBack, losePrimary } from "./failover.ts";
import { deployPlainSet, loadRows, raiseCluster, startWriter } from "./prepare.ts";
import { type Books, closeBooks, loseVolume } from "./reseed.ts";
import { grow, shrinkPastPrimary } from "./scale.ts";
import { PLACE, RESTORED } from "./stage.ts";
import type { Tale } from "./tale.ts";
import { followEvents } from "./witness.ts";

export interface StoryOptions {
  readonly context: string | undefined;
  readonly tale: Tale;
  readonly signal: AbortSignal;
}

export interface StoryEnd {
  readonly status: ClusterStatus | null;
  readonly books: Books;
  /** What broke the story off; null when all of it held. */
  readonly failure: unknown;
}

type Closer = () => Promise<unknown>;

/** The runner's own lines would drown the tale; what it says in Events is told, and so is every warning. */
function quietLog(tale: Tale): Log {
  return {
    info: () => undefined,
    warn: (message, fields) => tale.say("runner", `! ${message} ${JSON.stringify(fields ?? {})}`),
  };
}

const TELL_WRITES_MS = 10_000;

function tellWrites(workload: Workload, tale: Tale): Closer {
  const timer = setInterval(() => {
    const { acked, failed } = workload.progress();
    tale.say("writer", `${acked.toLocaleString("en")} writes acknowledged, ${failed} failed`);
  }, TELL_WRITES_MS);
  return async () => clearInterval(timer);
}

export async function tellStory({ context, tale, signal }: StoryOptions): Promise<StoryEnd> {
  const closers: Closer[] = [];
  let status: ClusterStatus | null = null;
  let books: Books = { acked: 0, lost: 0 };
  try {
    const raised = await tale.chapter("cluster", "a Kubernetes cluster", (found) =>
      raiseCluster(context, found),
    );
    status = raised.status;
    const { cluster } = raised;
    closers.push(async () => cluster.close());
    const stage = await tale.chapter("plain", "three plain MySQL servers, as in a tutorial", (found) =>
      deployPlainSet({ cluster, tale, signal }, found),
    );
    const before = await tale.chapter("rows", `a shop's rows in ${PLACE.name}-0`, (found) =>
      loadRows(stage, found),
    );
    const writer = await tale.chapter("writer", "an application that writes", (found) =>
      startWriter(stage, found),
    );
    const { workload } = writer;
    closers.push(() => workload.stop());
    closers.push(tellWrites(workload, tale));
    await tale.chapter("runner", "Ordinal's functions, in this process", async (found) => {
      const host = await startLocalHost({
        namespaces: [PLACE.namespace, RESTORED.namespace],
        kubeconfig: raised.status.kubeconfig,
        ...(raised.status.context === undefined ? {} : { context: raised.status.context }),
        log: quietLog(tale),
        // On the nodes of the local cluster; of another one nobody knows what it can pull.
        ...(context === undefined ? { jobImage: localName } : {}),
      });
      closers.push(() => host.stop());
      const witness = followEvents(cluster, PLACE.namespace, tale);
      closers.push(() => witness.stop());
      found(`the functions are awake; nothing in the cluster stands for Ordinal`);
    });
    await tale.chapter("adopt", "two annotations", (found) => adopt(stage, before, workload, found));
    await tale.chapter("services", "writing and reading by name", (found) => useServices(stage, found));
    await tale.chapter("reseed", "a replica loses its volume", (found) => loseVolume(stage, workload, found));
    const victim = await tale.chapter("failover", "the primary is killed", (found) =>
      losePrimary(stage, writer, { local: context === undefined }, found),
    );
    await tale.chapter("switchover", `${victim} is asked back`, (found) =>
      handBack(stage, writer, victim, found),
    );
    await tale.chapter("backup", "a backup by the clock, proven by restoring it", (found) =>
      backUp(stage, writer, raised.status.s3, found),
    );
    await tale.chapter("grow", "three become five", (found) => grow(stage, writer, found));
    await tale.chapter("shrink", "five become three again, and the primary is one that leaves", (found) =>
      shrinkPastPrimary(stage, writer, found),
    );
    await tale.chapter("books", "every acknowledged write is there", (found) =>
      closeBooks(stage, workload, {
        found,
        books: (counted) => {
          books = counted;
        },
      }),
    );
    const { s3 } = raised.status;
    if (s3 !== undefined) {
      const accident = await tale.chapter("accident", "a table is dropped", (found) =>
        dropTable(stage, found),
      );
      await tale.chapter("elsewhere", "the second before, in a new cluster", (found) =>
        restoreElsewhere(stage, accident, s3, found),
      );
      await tale.chapter("in-place", "the second before, in place, and undone", (found) =>
        restoreInPlace(stage, accident, found),
      );
    }
    return { status, books, failure: null };
  } catch (failure) {
    return { status, books, failure };
  } finally {
    for (const close of closers.reverse()) await close();
  }
}
