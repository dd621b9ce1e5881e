/** How clusters are, how a request stands, and the dashboard that shows both to people. */
import { showCluster, showOperation } from "../../shared/hosts/http/clusters.ts";
import { dashboardPages } from "../../shared/hosts/http/dashboard.ts";
import { showFleet } from "../../shared/hosts/http/fleet.ts";
import type { RequestFunction } from "../../shared/hosts/http/function.ts";

export const requestFunction: RequestFunction = {
  name: "status",
  answers: {
    status: showCluster,
    operation: showOperation,
    // It reads what a store holds, of which nothing else here needs to know.
    backups: async (asked, tools) => {
      const { showStored } = await import("../../shared/hosts/http/stored.ts");
      return await showStored(asked, tools);
    },
  },
  fleet: { clusters: showFleet },
  pages: dashboardPages,
};
