// The tiers of tests, fast ones first: the one list that vitest.config.ts and `npm test` both read.

export interface Tier {
  readonly name: string;
  readonly testTimeoutMs: number;
  /** Files that share real servers, or measure, run one after another. */
  readonly serial: boolean;
  /** The local cluster is brought up for it, where it can be. */
  readonly hasCluster: boolean;
  /** True when no test of the tier can run without the local cluster or real database servers. */
  readonly needsServers: boolean;
}

/** Where vitest writes its JSON report when `npm test` runs it. */
export const reportVariable = "ORDINAL_TEST_REPORT";

export const tiers: readonly Tier[] = [
  { name: "tidy", testTimeoutMs: 60_000, serial: false, hasCluster: false, needsServers: false },
  { name: "unit", testTimeoutMs: 20_000, serial: false, hasCluster: false, needsServers: false },
  { name: "property", testTimeoutMs: 180_000, serial: false, hasCluster: false, needsServers: false },
  { name: "sim", testTimeoutMs: 300_000, serial: false, hasCluster: false, needsServers: false },
  { name: "contract", testTimeoutMs: 120_000, serial: true, hasCluster: true, needsServers: false },
  { name: "integration", testTimeoutMs: 300_000, serial: true, hasCluster: true, needsServers: true },
  // Each file has a namespace of its own, and mostly waits.
  { name: "e2e", testTimeoutMs: 420_000, serial: false, hasCluster: true, needsServers: true },
];

/** Why real servers cannot be started here, or undefined when they can: they need Linux namespaces and mounts. */
export function whyNoServers(): string | undefined {
  if (process.platform !== "linux") return `real servers need Linux, this is ${process.platform}`;
  if (process.getuid?.() !== 0) return "real servers need root for namespaces and mounts";
  return undefined;
}
