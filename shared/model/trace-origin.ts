/**
 * The span of somebody else that an event was sent in, as W3C Trace Context writes it, which the extension "Distributed Tracing"
 * of CloudEvents takes over: the pass that the event woke points to it. Nothing is decided from it. Pure; never throws.
 */

export interface TraceOrigin {
  readonly traceId: string;
  readonly spanId: string;
  /** What systems of tracing on its way have added, as it was sent; null = nothing that can be read. */
  readonly state: string | null;
}

/** Version 00; any other one may mean something else by it. */
const PARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}$/;
const MEMBER = /^[a-z0-9][a-z0-9_*/@-]{0,255}=(?=[!-~ ]{1,256}$)[^,=]*[^,= ]$/;
const MEMBERS_MAX = 32;
const STATE_CHARS_MAX = 512;

function isState(text: string): boolean {
  const members = text.split(",").map((member) => member.trim());
  return (
    text.length <= STATE_CHARS_MAX &&
    members.length <= MEMBERS_MAX &&
    members.every((member) => MEMBER.test(member))
  );
}

/** `traceparent` and `tracestate` as they were sent; null where the first is not of the form. */
export function readOrigin(parent: unknown, state: unknown): TraceOrigin | null {
  const [, traceId, spanId] = (typeof parent === "string" && PARENT.exec(parent)) || [];
  if (traceId === undefined || spanId === undefined) return null;
  return { traceId, spanId, state: typeof state === "string" && isState(state) ? state : null };
}
