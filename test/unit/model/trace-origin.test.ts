/** What is read of a trace context, and what is none: the examples of W3C Trace Context, and whatever is near them. */
import { expect, test } from "vitest";
import { readOrigin } from "../../../shared/model/trace-origin.ts";

const [TRACE, SPAN] = ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"];
const PARENT = `00-${TRACE}-${SPAN}-01`;

test.each([`00-${TRACE}-${SPAN}-01`, `00-${TRACE}-${SPAN}-00`, `00-${TRACE}-${SPAN}-ff`])(
  "%s is one",
  (parent) => {
    expect(readOrigin(parent, undefined)).toEqual({ traceId: TRACE, spanId: SPAN, state: null });
  },
);

test.each([
  ["nothing", undefined],
  ["empty", ""],
  ["a number", 7],
  ["another version", `01-${TRACE}-${SPAN}-01`],
  ["the version that is forbidden", `ff-${TRACE}-${SPAN}-01`],
  ["upper case", `00-${TRACE.toUpperCase()}-${SPAN}-01`],
  ["a trace of zeros", `00-${"0".repeat(32)}-${SPAN}-01`],
  ["a span of zeros", `00-${TRACE}-${"0".repeat(16)}-01`],
  ["a trace that is too short", `00-${TRACE.slice(1)}-${SPAN}-01`],
  ["a span that is too long", `00-${TRACE}-${SPAN}0-01`],
  ["no flags", `00-${TRACE}-${SPAN}`],
  ["more behind it", `${PARENT}-00`],
  ["a line behind it", `${PARENT}\n`],
  ["a space before it", ` ${PARENT}`],
  ["two of them", `${PARENT},${PARENT}`],
])("%s is none", (_, parent) => {
  expect(readOrigin(parent, "a=b")).toBeNull();
});

test.each([
  ["one", "congo=t61rcWkgMzE"],
  ["two, with space between them", "rojo=00f067aa0ba902b7 , congo=t61rcWkgMzE"],
  ["of a tenant", "1a-_*/@x=y z!~"],
  ["of 32", Array.from({ length: 32 }, (_, index) => `k${index}=v`).join(",")],
  ["of 512 characters", `k=${"v".repeat(250)},l=${"v".repeat(257 - 1)}`.slice(0, 509)],
])("a state %s is told", (_, state) => {
  expect(readOrigin(PARENT, state)?.state).toBe(state);
});

test.each([
  ["nothing", undefined],
  ["empty", ""],
  ["a number", 7],
  ["without a value", "congo"],
  ["with an empty value", "congo="],
  ["with a key in upper case", "Congo=a"],
  ["with two signs", "a=b=c"],
  ["with an empty member", "a=b,,c=d"],
  ["with a line in it", "a=b\nc"],
  ["beyond ASCII", "a=ü"],
  ["of a value that is too long", `a=${"v".repeat(257)}`],
  ["of 33", Array.from({ length: 33 }, (_, index) => `k${index}=v`).join(",")],
  ["of 513 characters", `k=${"v".repeat(253)},l=${"v".repeat(254)}`.padEnd(513, "v")],
])("a state that is %s is left out, and the span stays", (_, state) => {
  expect(readOrigin(PARENT, state)).toEqual({ traceId: TRACE, spanId: SPAN, state: null });
});
