/** Runs the database contract on the simulated server and, where there is a cluster, on real ones. */
import { describe } from "vitest";
import { serverContract } from "./server-cases.ts";
import { openRealSubject, openSimSubject } from "./server-subjects.ts";

describe("simulated MySQL", () => serverContract(openSimSubject));

const kubeconfig = process.env["ORDINAL_TEST_KUBECONFIG"] ?? "";
const reason = kubeconfig === "" ? " (skipped: ORDINAL_TEST_KUBECONFIG names no cluster)" : "";

describe.skipIf(kubeconfig === "")(`real MySQL${reason}`, () =>
  serverContract(() => openRealSubject(kubeconfig)),
);
