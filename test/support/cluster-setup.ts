// The global set-up of every tier that talks to real servers (see vitest.config.ts).

import { openTestCluster } from "./test-cluster.ts";

let close: (() => Promise<void>) | undefined;

export async function setup(): Promise<void> {
  close = await openTestCluster();
}

export async function teardown(): Promise<void> {
  await close?.();
}
