/**
 * What all functions on Lambda share: the way to the API server of EKS, and the limits of an invocation. It is made once a
 * process, when Lambda loads the function, so that a deployment with wrong settings fails at once and says which.
 */
import { createKubeClient, type KubeClient } from "../../adapters/kube/client.ts";
import { wayOfToken } from "../../adapters/kube/token-way.ts";
import { createLog, systemClock, systemIds } from "../local/platform.ts";
import type { Surroundings } from "./brain.ts";
import { eksToken } from "./eks-token.ts";
import { readSettings, type Settings } from "./settings.ts";

/** Of what Lambda hands to a handler beside the event, the part that is used. */
export interface LambdaContext {
  getRemainingTimeInMillis(): number;
}

export interface LambdaHost extends Surroundings {
  readonly settings: Settings;
  /** As it was given, for what only who needs it reads. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly reviewer: KubeClient["reviewer"];
  /** Resolves when the API server has been asked for the first time: what takes time to load is loaded while it answers. */
  readonly asked: Promise<void>;
}

export function openLambdaHost(
  env: Readonly<Record<string, string | undefined>>,
  functionName: string,
): LambdaHost {
  const settings = readSettings(env);
  const { AWS_REGION: region, ORDINAL_CLUSTER_NAME: cluster } = settings;
  const credentials = {
    accessKeyId: settings.AWS_ACCESS_KEY_ID,
    secretAccessKey: settings.AWS_SECRET_ACCESS_KEY,
    sessionToken: settings.AWS_SESSION_TOKEN ?? null,
  };
  const [clock, ids, log, component] = [systemClock, systemIds, createLog("json"), `ordinal/${functionName}`];
  const way = wayOfToken({
    server: new URL(settings.ORDINAL_CLUSTER_ENDPOINT),
    ca: settings.ORDINAL_CLUSTER_CA,
    namespace: "default",
    // It is asked for once a minute, and lives for a quarter of an hour.
    token: () => Promise.resolve(eksToken(credentials, { region, cluster, now: new Date(clock.now()) })),
  });
  const { promise: asked, resolve: onSent } = Promise.withResolvers<void>();
  const { kube, reviewer } = createKubeClient({
    ...{ way, clock, ids, log, onSent },
    userAgent: component,
  });
  return { ...{ kube, reviewer, asked, clock, ids, log, component, settings, env } };
}
