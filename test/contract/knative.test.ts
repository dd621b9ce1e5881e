/**
 * What we ship for Knative, by Knative's own schemas on a real API server: it takes every object of it, and would not take a
 * misspelt one. The schemas are not part of this project. They do not know which values of `mode` there are, and that of a Trigger
 * keeps whatever it does not know: these two only Knative's own webhook refuses.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import * as z from "zod";
import { type Cluster, openCluster } from "../support/cluster-access.ts";
import { knativeManifests } from "../support/e2e-hosts.ts";
import { noClusterReason, testCluster } from "../support/test-cluster.ts";
import { waitFor } from "../support/wait.ts";

const access = testCluster();
const SCHEMAS = join(import.meta.dirname, "../../../shared/data/knative-crds");
const noSchemas = existsSync(SCHEMAS) ? null : "Knative's schemas are not kept here";
const reason = access === null ? noClusterReason : noSchemas;
const NAMESPACE = "contract-knative";

const schemaOfSchemas = z.looseObject({
  kind: z.literal("CustomResourceDefinition"),
  spec: z.looseObject({}),
});

/** Without what would ask Knative's own webhook. */
function readSchemas(): string {
  const items = readdirSync(SCHEMAS)
    .flatMap((file) => parseAllDocuments(readFileSync(join(SCHEMAS, file), "utf8")))
    .flatMap((document) => schemaOfSchemas.safeParse(document.toJS()).data ?? [])
    .map(({ spec: { conversion: _, ...spec }, ...rest }) => ({ ...rest, spec }));
  return JSON.stringify({ apiVersion: "v1", kind: "List", items });
}

describe.skipIf(reason !== null)(`infra/knative${reason === null ? "" : ` (skipped: ${reason})`}`, () => {
  let cluster: Cluster;
  let manifests: string;
  let guarded: string;
  const kubectl = (...args: string[]) => cluster.kubectl(["--namespace", NAMESPACE, ...args]);
  const dryRun = (text: string) =>
    cluster.kubectl(
      ["create", "--validate=strict", "--dry-run=server", "--output=name", "--filename=-"],
      text,
    );

  beforeAll(async () => {
    if (access === null) return;
    cluster = openCluster(access);
    await cluster.kubectl(["apply", "--server-side", "--filename=-"], readSchemas());
    await cluster.kubectl(["create", "namespace", NAMESPACE]);
    const place = { kubectl, ref: { namespace: NAMESPACE, name: "mysql" } };
    manifests = await knativeManifests(place);
    guarded = await knativeManifests(place, ["knative/sender-identity"]);
    await waitFor("the schemas to be served", { timeoutMs: 60_000 }, async () => {
      await dryRun(manifests);
      return { ok: true, value: null };
    });
  });
  afterAll(async () => {
    await cluster.kubectl(["delete", "namespace", NAMESPACE, "--wait=false"]);
    await cluster.kubectl(["delete", "--wait=false", "--ignore-not-found", "--filename=-"], readSchemas());
    cluster.close();
  });

  test("every object is taken", async () => {
    const taken = (await dryRun(manifests)).trim().split("\n");
    expect(taken.filter((name) => name.includes(".knative.dev/")).sort()).toEqual([
      "apiserversource.sources.knative.dev/ordinal",
      "apiserversource.sources.knative.dev/ordinal-jobs",
      "broker.eventing.knative.dev/ordinal",
      "pingsource.sources.knative.dev/ordinal-backup-cron",
      "pingsource.sources.knative.dev/ordinal-sweep",
      "service.serving.knative.dev/ordinal",
      "service.serving.knative.dev/ordinal-dead-letters",
      "trigger.eventing.knative.dev/ordinal-changes",
      "trigger.eventing.knative.dev/ordinal-ticks",
    ]);
  });

  test.each(["containerConcurrency", "serviceAccountName", "schedule"])(
    "a misspelt %s is not",
    async (field) => {
      await expect(dryRun(manifests.replace(`${field}:`, `${field}s:`))).rejects.toThrow(/unknown field/);
    },
  );

  test("with the identity of senders too, and it is asked for by both hosts and sent by both Triggers", async () => {
    expect((await dryRun(guarded)).split("\n")).toContain("trigger.eventing.knative.dev/ordinal-ticks");
    expect(guarded.match(/audience: ordinal-events/g)).toHaveLength(4);
    expect(guarded.match(/- --event-audience\n *- ordinal-events/g)).toHaveLength(2);
  });

  test("both hosts are told their namespace and the image that they are", () => {
    const services = parseAllDocuments(manifests)
      .map((document): unknown => document.toJS())
      .filter((object) =>
        JSON.stringify(object).includes('"serving.knative.dev/v1","kind":"Service","metadata"'),
      );
    expect(services).toHaveLength(2);
    for (const service of services)
      expect(JSON.stringify(service)).toContain(
        `["--namespace","${NAMESPACE}","--job-image","ordinal.local/ordinal:dev",`,
      );
  });
});
