/**
 * Where the time of one change of the primary went: the host's own log beside what the clients saw, all on the
 * clock of this machine.
 */
import { longestPause } from "../support/figures.ts";
import type { HostLine } from "../support/host-process.ts";
import type { Path, Traffic } from "../support/traffic.ts";
import type { Ack } from "../support/workload.ts";

export interface Timeline {
  /** From the fault to the start of the first pass that found something. */
  readonly detectionMs: number | null;
  /** To the first record. */
  readonly decisionMs: number | null;
  /** To the first server that was opened for writes. */
  readonly promotionMs: number | null;
  /** To the first write on each path that was acknowledged by the new primary. */
  readonly firstMs: Readonly<Record<Path, number | null>>;
  /** From the start of that pass to the first acknowledged commit of the new primary: the row of its term. */
  readonly openedMs: number | null;
  /** From the start of that pass to the first direct write of a client. */
  readonly oursMs: number | null;
}

/** Fewer milliseconds between two writes are ordinary. */
const OUTAGE_LEAST_MS = 250;

/**
 * The first acknowledgement after the fault by another server than before; where it stays the same one, the
 * first after the longest pause. Null while neither has come.
 */
export function firstAfter(acks: readonly Ack[], faultAtMs: number, before: string): number | null {
  const other = acks.find(({ atMs, server }) => atMs > faultAtMs && server !== before);
  if (other !== undefined) return other.atMs;
  const pause = longestPause(
    acks.map(({ atMs }) => atMs),
    faultAtMs,
  );
  return pause !== null && pause.ms >= OUTAGE_LEAST_MS ? pause.endsAtMs : null;
}

export function timelineOf(
  lines: readonly HostLine[],
  acks: Traffic["acks"],
  { faultAtMs, before }: { readonly faultAtMs: number; readonly before: string },
): Timeline {
  const after = lines.filter(({ at }) => Date.parse(at) >= faultAtMs);
  const atOf = (line: HostLine | undefined) => (line === undefined ? null : Date.parse(line.at));
  const since = (at: number | null) => (at === null ? null : Math.max(0, Math.round(at - faultAtMs)));
  const pass = after.find(({ message }) => message === "pass");
  const woken = pass === undefined ? null : Math.max(faultAtMs, Date.parse(pass.at) - (pass.tookMs ?? 0));
  const step = (text: string) =>
    atOf(after.find((line) => line.message === "step" && line.step?.startsWith(text) === true));
  const opened = step("opening member");
  const sinceWoken = (atMs: number | null) =>
    woken === null || atMs === null ? null : Math.max(0, Math.round(atMs - woken));
  const first = {
    direct: firstAfter(acks.direct, faultAtMs, before),
    service: firstAfter(acks.service, faultAtMs, before),
  };
  return {
    detectionMs: since(woken),
    decisionMs: since(step("recording")),
    promotionMs: since(opened),
    firstMs: { direct: since(first.direct), service: since(first.service) },
    ...{ openedMs: sinceWoken(opened), oursMs: sinceWoken(first.direct) },
  };
}

/** The host's lines since the fault, until all was whole again, each with its milliseconds since then. */
export function tellLines(lines: readonly HostLine[], faultAtMs: number): readonly string[] {
  return lines
    .map((line) => ({ line, ms: Date.parse(line.at) - faultAtMs }))
    .filter(({ ms }) => ms >= 0)
    .map(({ line, ms }) => {
      const { message, step, cause, outcome, tookMs, why, reason } = line;
      const what = step ?? `${cause ?? ""} ${outcome ?? ""} ${tookMs ?? ""} ms: ${why ?? ""}`;
      return `  +${String(ms).padStart(6)} ms  ${message} ${what}${reason === undefined ? "" : ` (${reason})`}`;
    });
}
