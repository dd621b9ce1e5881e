/** Runs the Kubernetes contract on the simulated API server and, where there is a cluster, on a real one. */
import { describe, expect } from "vitest";
import { putPod } from "../sim/kube/actors.ts";
import { createSimKube } from "../sim/kube/api-server.ts";
import { kubeContract } from "./kube-cases.ts";
import { openRealSubject } from "./kube-real.ts";
import type { Subject } from "./kube-subject.ts";

describe("simulated API server", () => kubeContract(openSimSubject));

const kubeconfig = process.env["ORDINAL_TEST_KUBECONFIG"] ?? "";
const reason = kubeconfig === "" ? " (skipped: ORDINAL_TEST_KUBECONFIG names no cluster)" : "";

describe.skipIf(kubeconfig === "")(`real API server${reason}`, () =>
  kubeContract(() => openRealSubject(kubeconfig)),
);

async function openSimSubject(): Promise<Subject> {
  const sim = createSimKube({ now: () => 0, sleep: () => Promise.resolve() });
  const { kube, watches } = sim;
  return {
    kube,
    watches,
    relistingWatches: watches,
    namespace: "contract",
    async change(kind, ref, json) {
      sim.put(kind, ref, json);
    },
    raw: async (kind, ref) => sim.raw(kind, ref) ?? {},
    cut: () => sim.setDeliveries(() => ({ drop: true })),
    mend() {
      sim.setDeliveries(() => ({}));
      sim.relist();
    },
    startPod(set) {
      putPod(sim, set, 0);
    },
    settle: () => Promise.resolve(),
    async close() {
      // The two of the case in which a callback throws.
      expect(sim.callbackErrors).toHaveLength(2);
    },
  };
}
