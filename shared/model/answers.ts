/**
 * What is answered by HTTP beside the documents of the plugin, for programs and for the dashboard. Pure.
 */
import * as z from "zod";
import { backupSchema, clusterSchema, windowSchema } from "./documents.ts";
import { planSchema } from "./plan.ts";
import {
  backupWishSchema,
  REQUEST_STATUSES,
  restoreRequestSchema,
  scaleWishSchema,
  switchoverWishSchema,
} from "./request.ts";
import { REQUEST_KINDS } from "./request-kind.ts";
import { historyEntrySchema } from "./state.ts";

const status = z.enum(REQUEST_STATUSES);
const message = z.string().nullable();

export const recordedSchema = z.strictObject({
  id: z.string(),
  status,
  message,
  /** Where to look. */
  operation: z.string(),
  /** Null when the operation was recorded by an earlier request. */
  plan: planSchema.nullable(),
});
export const plannedSchema = z.strictObject({ plan: planSchema });
export const operationSchema = z.strictObject({
  id: z.string(),
  kind: z.enum(REQUEST_KINDS),
  wish: z.union([scaleWishSchema, switchoverWishSchema, backupWishSchema, restoreRequestSchema]),
  status,
  message,
  by: z.string(),
  at: z.iso.datetime(),
});
/** What whoever asks may do: `update` the StatefulSet, and `scale` it. */
const rightsSchema = z.strictObject({ update: z.boolean(), scale: z.boolean() });
export type Rights = z.infer<typeof rightsSchema>;
/** The document of the plugin, and beside it what the plugin has verbs for. */
export const shownClusterSchema = z.strictObject({
  ...clusterSchema.shape,
  /** Oldest first. */
  history: z.array(historyEntrySchema),
  /** Those that are remembered, oldest first. */
  requests: z.array(operationSchema),
  may: rightsSchema,
});
/** The annotation as it was written; null = taken away. */
export const writtenSchema = z.strictObject({ annotation: z.string(), value: z.string().nullable() });
/** What the store of a cluster holds. */
export const storedBackupsSchema = z.strictObject({
  /** Newest first. */
  backups: z.array(backupSchema),
  /** Null where it cannot be told. */
  window: windowSchema.nullable(),
  /** Why something is missing from this; null = nothing is. */
  gap: z.string().nullable(),
});
export type StoredBackups = z.infer<typeof storedBackupsSchema>;
export type ShownCluster = z.infer<typeof shownClusterSchema>;
