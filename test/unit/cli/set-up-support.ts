/** What is around a simulated cluster for whoever examines it: all is well there, and servers are reached by the names of pods. */
import { fail, succeed } from "../../../shared/model/outcome.ts";
import type { Examiner } from "../../../shared/ports/examiner.ts";
import type { Servers } from "../../../shared/ports/server.ts";
import type { World } from "../../sim/world.ts";

/** As somebody outside of the pod network reaches them: by the names of their pods. */
export function forwarded({ fleet, kubelet }: World): Servers {
  return {
    async connect(options) {
      const server = kubelet.servers.find(({ name }) => name === options.host);
      const [address] = [...fleet.byAddress].find(([, one]) => one === server) ?? [];
      if (address === undefined) return fail("transient", "kubectl port-forward: no such pod");
      return fleet.connect({ ...options, host: address });
    },
  };
}

export const EXAMINED: Examiner = {
  may: async () => succeed(true),
  template: async () => succeed({ labels: { app: "mysql" }, hooked: ["database"], spreads: true }),
  isHeadless: async () => succeed(true),
  budgets: async () => succeed([{ app: "another" }, { app: "mysql" }]),
};
