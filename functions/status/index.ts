/** How clusters are, how a request stands, and the dashboard that shows both to people. */
import { showCluster, showOperation } from "../../shared/hosts/http/clusters.ts";
import { dashboardPages } from "../../shared/hosts/http/dashboard.ts";
import { showFleet } from "../../shared/hosts/http/fleet.ts";
import type { RequestFunction } from "../../shared/hosts/http/function.ts";

export const requestFunction: RequestFunction = {
  name: "status",
  answers: { status: showCluster, operation: showOperation },
  fleet: { clusters: showFleet },
  pages: dashboardPages,
};
