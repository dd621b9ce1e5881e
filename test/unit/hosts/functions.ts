/** All functions of events, as the hosts serve them. */
import { eventFunction as clusterChanged } from "../../../functions/cluster-changed/index.ts";
import { eventFunction as podFailure } from "../../../functions/pod-failure/index.ts";
import { eventFunction as podReady } from "../../../functions/pod-ready/index.ts";
import { eventFunction as sweep } from "../../../functions/sweep/index.ts";
import type { EventFunction } from "../../../shared/hosts/functions.ts";

export const EVENT_FUNCTIONS: readonly EventFunction[] = [clusterChanged, podFailure, podReady, sweep];
