/** All functions of events and of requests, as the hosts serve them. */
import { requestFunction as approve } from "../../../functions/approve/index.ts";
import { eventFunction as archive } from "../../../functions/archive/index.ts";
import { requestFunction as backup } from "../../../functions/backup/index.ts";
import { eventFunction as backupCron } from "../../../functions/backup-cron/index.ts";
import { eventFunction as clusterChanged } from "../../../functions/cluster-changed/index.ts";
import { eventFunction as jobFinished } from "../../../functions/job-finished/index.ts";
import { requestFunction as metrics } from "../../../functions/metrics/index.ts";
import { requestFunction as pause } from "../../../functions/pause/index.ts";
import { eventFunction as podFailure } from "../../../functions/pod-failure/index.ts";
import { eventFunction as podReady } from "../../../functions/pod-ready/index.ts";
import { requestFunction as restore } from "../../../functions/restore/index.ts";
import { requestFunction as scale } from "../../../functions/scale/index.ts";
import { requestFunction as status } from "../../../functions/status/index.ts";
import { eventFunction as sweep } from "../../../functions/sweep/index.ts";
import { requestFunction as switchover } from "../../../functions/switchover/index.ts";
import type { EventFunction } from "../../../shared/hosts/functions.ts";
import type { RequestFunction } from "../../../shared/hosts/http/function.ts";

export const EVENT_FUNCTIONS: readonly EventFunction[] = [
  archive,
  backupCron,
  clusterChanged,
  jobFinished,
  podFailure,
  podReady,
  sweep,
];
export const REQUEST_FUNCTIONS: readonly RequestFunction[] = [
  approve,
  backup,
  metrics,
  pause,
  restore,
  scale,
  status,
  switchover,
];
