/**
 * What makes passes and previews on Lambda. It is most of a function's bytes, and is loaded while the API server is already
 * being asked: nothing before that needs it.
 */
import { createServers } from "../../adapters/mysql/servers.ts";
import { mysql } from "../../engines/mysql/index.ts";
import type { Clock, Ids, Log } from "../../ports/host.ts";
import type { Kube } from "../../ports/kube.ts";
import { type ReconcileContext, reconcile } from "../../reconcile/index.ts";
import { createJobBodies } from "../job/bodies.ts";
import { readTelemetrySettings } from "../telemetry/settings.ts";
import { createPost, createTelemetry } from "../telemetry/telemetry.ts";

export { preview } from "../../reconcile/preview.ts";
export { wanted } from "./looks.ts";

export interface Surroundings {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly component: string;
}

/** Of one invocation: no connection to a server outlives it, for the process is frozen afterwards. */
export function contextOf(
  surroundings: Surroundings,
  { jobImage, budgetMs }: { readonly budgetMs: number; readonly jobImage: string },
): ReconcileContext {
  return {
    ...surroundings,
    budgetMs,
    servers: createServers({ pool: false }),
    engines: { mysql },
    jobs: jobImage === "" ? null : createJobBodies(jobImage, mysql.rules),
  };
}

export interface Passes {
  readonly pass: typeof reconcile;
  /** Sends what passes told of themselves: afterwards the process is frozen. */
  flush(): Promise<void>;
}

/** Passes that send traces where a collector is named. Throws when it is named wrongly. */
export function passesOf(
  { clock, log }: Surroundings,
  env: Readonly<Record<string, string | undefined>>,
): Passes {
  const settings = readTelemetrySettings(env);
  if (settings === null) return { pass: reconcile, flush: () => Promise.resolve() };
  const telemetry = createTelemetry({ settings, clock, log, post: createPost(settings) });
  return { pass: telemetry.around(reconcile), flush: () => telemetry.flush() };
}
