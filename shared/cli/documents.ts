/**
 * What `-o json` and `-o yaml` print: a documented, versioned schema (docs/cli.md), which is also the one
 * thing that the texts for people are rendered from. A field is never renamed or removed within a version.
 */
import { z } from "zod";
import { conditionSchema } from "../model/condition.ts";
import { planSchema } from "../model/plan.ts";
import { historyEntrySchema } from "../model/state.ts";

export const API_VERSION = "ordinal.dev/cli/v1";

const count = z.number().int().min(0);

const memberSchema = z.strictObject({
  name: z.string(),
  ordinal: count,
  /** `primary`, `replica` or `none`; null while no pass has seen it. */
  role: z.string().nullable(),
  /** `Ready`, `NotReady`, `Terminating`, `Missing`, or why its container or the Pod waits. */
  pod: z.string(),
  version: z.string().nullable(),
  serverUuid: z.string().nullable(),
  lagMs: count.nullable(),
  acks: z.boolean().nullable(),
  note: z.string(),
  /** When the fields above last changed, as Ordinal saw it. */
  seenAt: z.string().nullable(),
});

const clusterFields = {
  namespace: z.string(),
  name: z.string(),
  /** A phase of docs/conditions.md, or `Unseen` before the first pass. */
  phase: z.string(),
  primary: z.string().nullable(),
  epoch: count.nullable(),
  replicas: count,
  readyPods: count,
  /** Of the replica that is furthest behind. */
  lagMs: count.nullable(),
  /** How many replicas acknowledge each write before it is confirmed. */
  ackCount: count.nullable(),
  /** Names of the members whose acknowledgements count. */
  ackers: z.array(z.string()),
  operation: z.strictObject({ kind: z.string(), step: z.string(), startedAt: z.string() }).nullable(),
  problems: z.array(z.strictObject({ code: z.string(), message: z.string(), since: z.string().nullable() })),
  conditions: z.array(conditionSchema),
  members: z.array(memberSchema),
};

const cluster = z.strictObject(clusterFields);
export const clusterSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal("Cluster"),
  ...clusterFields,
});

export const clusterListSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal("ClusterList"),
  items: z.array(cluster),
});

export const historySchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal("History"),
  namespace: z.string(),
  name: z.string(),
  entries: z.array(historyEntrySchema),
});

export const planDocumentSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal("Plan"),
  namespace: z.string(),
  name: z.string(),
  /** What whoever asks would write; null = nothing, it is what the next pass would do by itself. */
  wish: z.string().nullable(),
  /** Of the first decision. */
  why: z.string(),
  ...planSchema.shape,
});

export type Cluster = z.infer<typeof cluster>;
export type ClusterMember = z.infer<typeof memberSchema>;
export type History = z.infer<typeof historySchema>;
export type PlanDocument = z.infer<typeof planDocumentSchema>;
export type Document =
  | z.infer<typeof clusterSchema>
  | z.infer<typeof clusterListSchema>
  | History
  | PlanDocument;
