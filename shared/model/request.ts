/**
 * What may be asked of a cluster by HTTP or as a CloudEvent, and how what was asked is remembered. A request is
 * a wish: recording it changes nothing but annotations, and a pass later does, refuses or finishes it.
 */
import * as z from "zod";
import { BACKUP_METHODS } from "./backup.ts";
import type { ClusterRef } from "./cluster.ts";
import { OBJECT_NAME } from "./kube.ts";
import type { Outcome } from "./outcome.ts";
import type { Preview } from "./plan.ts";
import { namesOneTarget, restoreTextSchema } from "./restore.ts";
import { MEMBERS_MAX } from "./state.ts";

export const scaleWishSchema = z.strictObject({ replicas: z.int().min(1).max(MEMBERS_MAX) });
export const switchoverWishSchema = z.strictObject({
  to: z.string().max(253, { abort: true }).regex(OBJECT_NAME, "must be the name of a pod"),
});
/** Without a method: by the one that is set for the cluster. */
export const backupWishSchema = z.strictObject({ method: z.enum(BACKUP_METHODS).optional() });
/** As it is asked for; it gets an `id` where it has none. */
export const restoreBodySchema = restoreTextSchema.refine(
  namesOneTarget,
  "must name one of backup, time and gtid",
);
/** By its `id` it is known again, whoever looks for it. */
export const restoreRequestSchema = restoreTextSchema.required({ id: true });

/** Nothing more is to be said. */
export const emptyBodySchema = z.strictObject({});
/** The failover into this epoch, as the condition that waits for it names it. */
export const approveBodySchema = z.strictObject({ epoch: z.int().min(1).max(999_999_999) });

/** What is written as it is and waits for no turn: to ask for it once more changes nothing, so that no ring remembers it. */
export type ClusterSetting =
  | { readonly kind: "pause" }
  | { readonly kind: "resume" }
  | { readonly kind: "approve"; readonly epoch: number };

export const OPERATION_ID = /^(?:scale|switchover|backup|restore)-[0-9a-f]{8}$/;

const entryFields = {
  id: z.string().regex(OPERATION_ID),
  /** Who asked: a user's name as the API server knows it, shortened. */
  by: z.string().max(64),
  at: z.iso.datetime(),
  /** Of the user and the idempotency key, so that a request that comes again is known. */
  key: z.string().regex(/^[0-9a-f]{16}$/),
};

/** One request that was recorded. */
export const requestEntrySchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("scale"), wish: scaleWishSchema, ...entryFields }),
  z.strictObject({ kind: z.literal("switchover"), wish: switchoverWishSchema, ...entryFields }),
  z.strictObject({ kind: z.literal("backup"), wish: backupWishSchema, ...entryFields }),
  z.strictObject({ kind: z.literal("restore"), wish: restoreRequestSchema, ...entryFields }),
]);
export type RequestEntry = z.infer<typeof requestEntrySchema>;

export type ClusterRequest =
  | { readonly kind: "scale"; readonly wish: z.infer<typeof scaleWishSchema> }
  | { readonly kind: "switchover"; readonly wish: z.infer<typeof switchoverWishSchema> }
  | { readonly kind: "backup"; readonly wish: z.infer<typeof backupWishSchema> }
  | { readonly kind: "restore"; readonly wish: z.infer<typeof restoreRequestSchema> };

/** What a pause does needs no look. */
export type PreviewRequest = (
  ref: ClusterRef,
  request: ClusterRequest | Exclude<ClusterSetting, { readonly kind: "pause" }>,
) => Promise<Outcome<Preview>>;

export const REQUEST_STATUSES = ["accepted", "done", "refused", "failed", "superseded"] as const;

/** How a request stands now. */
export interface RequestAnswer {
  readonly status: (typeof REQUEST_STATUSES)[number];
  /** One sentence, or null where the status says it all. */
  readonly message: string | null;
}
