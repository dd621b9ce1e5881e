/** How a cluster is, and how a request stands. */
import { showCluster, showOperation } from "../../shared/hosts/http/clusters.ts";
import type { RequestFunction } from "../../shared/hosts/http/function.ts";

export const requestFunction: RequestFunction = {
  name: "status",
  answers: { status: showCluster, operation: showOperation },
};
