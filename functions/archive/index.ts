/** The periodic tick: clusters whose logs are to be archived are found, and the host follows them. */
import { PING_TYPE, SWEEP_TYPE } from "../../shared/hosts/events.ts";
import { ARCHIVES, type EventFunction } from "../../shared/hosts/functions.ts";

export const eventFunction: EventFunction = {
  name: "archive",
  on: "tick",
  accepts: [PING_TYPE, SWEEP_TYPE],
  handle: () => ARCHIVES,
};
