/**
 * What a pass tells of itself while it runs, for whoever wants to see where its time went. Nothing is decided from it, and
 * nothing that a server or a user has said is in it: no message, no statement, no value.
 */

/** Facts of ours alone: names of objects, kinds, counts. */
export type TraceFields = Readonly<Record<string, string | number | boolean>>;

export type TraceOutcome = "ok" | "transient" | "conflict" | "refused" | "gone";

export interface Trace {
  /** A part of the pass begins. The function that is returned ends it; one that is never called leaves it out. */
  begin(name: string, fields?: TraceFields): (outcome?: TraceOutcome) => void;
}
