/**
 * The way to the API server that a kubeconfig file says. KubeConfig reads it, runs credential plugins and knows
 * certificates. Only its config module is imported: the whole package costs ten times the start-up time. And only who
 * has such a file imports this module: with its reader of YAML it is a third of a small program.
 */
import type { RequestOptions } from "node:https";
import { KubeConfig } from "@kubernetes/client-node/dist/config.js";
import type { Way } from "./connection.ts";

/** `context` undefined = the file's current one. Throws when the file cannot be used: a mistake of whoever started us. */
export function wayOfKubeconfig(path: string, context?: string): Way {
  const config = new KubeConfig();
  config.loadFromFile(path);
  if (context !== undefined) config.setCurrentContext(context);
  const cluster = config.getCurrentCluster();
  if (!cluster)
    throw new Error(`the kubeconfig names no cluster for the context ${config.getCurrentContext()}`);
  if (!URL.canParse(cluster.server)) throw new Error(`no address of an API server in ${path}`);
  return {
    server: new URL(cluster.server),
    namespace: config.getContextObject(config.getCurrentContext())?.namespace ?? "default",
    // KubeConfig knows the way through a proxy, and has refused plain HTTP unless the file allows it.
    proxied: Boolean(cluster.proxyUrl),
    async credentials() {
      const given: RequestOptions = {};
      await config.applyToHTTPSOptions(given).catch((cause: unknown) => {
        throw new Error("no credentials, see what kubectl says with this kubeconfig and context", { cause });
      });
      return given;
    },
  };
}
