/** The client with the port `Watches` beside it, for hosts that live on. It has no memory of objects except what watches compare. */
import type { Watches } from "../../ports/kube.ts";
import { clientParts, type KubeClient, type KubeOptions } from "./client.ts";
import { createWatches } from "./watch.ts";

export interface KubeHandle extends KubeClient {
  readonly watches: Watches;
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
  return { ...client, watches, close };
}
