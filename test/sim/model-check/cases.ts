/**
 * What is looked at: the bounds of the intact protocol's runs, and for every rule that is left out the run that must
 * notice it. A rule whose absence nothing notices has no place in the list of variants.
 */
import type { ModelCheckOptions } from "./index.ts";
import type { Variant } from "./rules.ts";

export interface IntactRun {
  readonly name: string;
  readonly options: ModelCheckOptions;
}

export const INTACT: readonly IntactRun[] = [
  {
    name: "two failovers, three transactions",
    options: { members: 3, transactions: 3, epochs: 2 },
  },
  {
    name: "three failovers, one transaction",
    options: { members: 3, transactions: 1, epochs: 3 },
  },
  {
    name: "one failover, looking and locking apart",
    options: { members: 3, transactions: 1, epochs: 1, plansApart: true },
  },
  {
    name: "ackers and ack count change, then a failover",
    options: { members: 3, transactions: 1, epochs: 1, scope: "reconfigure" },
  },
];

export const NIGHTLY: readonly IntactRun[] = [
  {
    name: "three failovers, two transactions",
    options: { members: 3, transactions: 2, epochs: 3 },
  },
  {
    name: "five members that wait for two, one failover",
    options: { members: 5, transactions: 1, epochs: 1 },
  },
];

export interface BrokenRun {
  readonly variant: Variant;
  readonly breaks: "I1" | "I3" | "I7";
  readonly options: ModelCheckOptions;
}

const failover = { transactions: 1, epochs: 3 };
const apart = { ...failover, plansApart: true };
const reconfigure = { transactions: 1, epochs: 1, scope: "reconfigure" } as const;

export const BROKEN: readonly BrokenRun[] = [
  { variant: "no-fenced-recheck", breaks: "I3", options: apart },
  { variant: "stale-receiver-start", breaks: "I1", options: apart },
  { variant: "lock-survives-takeover", breaks: "I3", options: failover },
  { variant: "revoked-without-lock", breaks: "I1", options: failover },
  { variant: "election-without-quorum", breaks: "I1", options: failover },
  { variant: "election-not-of-the-newest", breaks: "I1", options: failover },
  { variant: "candidate-not-closed", breaks: "I3", options: failover },
  { variant: "acker-without-session", breaks: "I1", options: failover },
  { variant: "receiver-still-on", breaks: "I1", options: failover },
  { variant: "settled-with-waiters", breaks: "I1", options: failover },
  { variant: "open-before-holders", breaks: "I1", options: failover },
  { variant: "joint-quorum", breaks: "I1", options: failover },
  { variant: "opened-not-established", breaks: "I1", options: failover },
  { variant: "opened-without-lock-out", breaks: "I3", options: failover },
  { variant: "route-before-term", breaks: "I7", options: failover },
  { variant: "term-row-unverified", breaks: "I7", options: failover },
  { variant: "enabled-before-recorded", breaks: "I3", options: failover },
  { variant: "graceful-stop", breaks: "I1", options: failover },
  { variant: "graceful-stop-waited-for", breaks: "I1", options: failover },
  { variant: "removed-without-catch-up", breaks: "I1", options: reconfigure },
  { variant: "removed-without-lock-out", breaks: "I3", options: reconfigure },
  { variant: "lowered-on-primary-first", breaks: "I3", options: reconfigure },
  { variant: "raised-without-catch-up", breaks: "I1", options: reconfigure },
  { variant: "raised-without-session", breaks: "I3", options: reconfigure },
];
