/**
 * What Ordinal relies on in a Kubernetes API, as cases that run against the simulated and the real one, so
 * that the simulated one stays honest. Cases share a namespace and keep apart by names and labels.
 */
import { afterAll, beforeAll, describe } from "vitest";
import { kindCases, setCases } from "./kube-kind-cases.ts";
import { conditionCases, objectCases, removalCases } from "./kube-object-cases.ts";
import type { Subject } from "./kube-subject.ts";
import { cutCases, watchCases } from "./kube-watch-cases.ts";

export function kubeContract(open: () => Promise<Subject>): void {
  let subject: Subject;
  beforeAll(async () => {
    subject = await open();
  });
  afterAll(async () => {
    await subject?.close();
  });
  const current = (): Subject => subject;
  describe("objects", () => objectCases(current));
  describe("removal", () => removalCases(current));
  describe("conditions of a change", () => conditionCases(current));
  describe("secrets, services, events", () => kindCases(current));
  describe("sets", () => setCases(current));
  describe("watches", () => watchCases(current));
  describe("watches that were cut off", () => cutCases(current));
}
