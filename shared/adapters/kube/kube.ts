/**
 * The client with the ports `Watches` and `Examiner` beside it, for hosts that live on and for people. It has no memory of
 * objects except what watches compare.
 */
import type { Examiner } from "../../ports/examiner.ts";
import type { Watches } from "../../ports/kube.ts";
import { clientParts, type KubeClient, type KubeOptions } from "./client.ts";
import { createExaminer } from "./examiner.ts";
import { createWatches } from "./watch.ts";

export interface KubeHandle extends KubeClient {
  readonly watches: Watches;
  readonly examiner: Examiner;
}

export function createKube(options: KubeOptions): KubeHandle {
  const { clock, ids, log } = options;
  const { limits, transport, lister, client } = clientParts(options);
  const closing = new AbortController();
  const watches = createWatches({ transport, lister, clock, ids, log, limits, closing: closing.signal });
  function close(): void {
    closing.abort();
    client.close();
  }
  return { ...client, watches, examiner: createExaminer(transport), close };
}
