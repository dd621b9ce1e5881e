/** The periodic tick: whatever is due or silent is looked at, which repairs every lost event. */
import { PING_TYPE, SWEEP_TYPE } from "../../shared/hosts/events.ts";
import { type EventFunction, SWEEP } from "../../shared/hosts/functions.ts";

export const eventFunction: EventFunction = {
  name: "sweep",
  on: "tick",
  accepts: [PING_TYPE, SWEEP_TYPE],
  handle: () => SWEEP,
};
