/** How the whole fleet is, for Prometheus. */
import type { RequestFunction } from "../../shared/hosts/http/function.ts";
import { showMetrics } from "../../shared/hosts/http/metrics.ts";

export const requestFunction: RequestFunction = {
  name: "metrics",
  answers: {},
  fleet: { metrics: showMetrics },
};
