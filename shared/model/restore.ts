/**
 * What is asked for in the way of restores, and what is remembered of one. A restore fills the volume of member 0 beside
 * what is on it, takes the cluster out of service, and then exchanges what is on the volumes of all members. Up to the
 * exchange the old data is what the cluster comes back with; once it is recorded, the new data is. The old data of all
 * members stays on their volumes, so that a restore can be undone until it is forgotten.
 */
import * as z from "zod";
import { OBJECT_NAME } from "./kube.ts";
import { stateSchema } from "./state.ts";

const instant = z.iso.datetime();
const slot = z.string().regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/);

/** Up to where. */
export const restoreTargetSchema = z.discriminatedUnion("kind", [
  /** All that a backup holds; null = the newest that can be restored. */
  z.strictObject({ kind: z.literal("backup"), slot: slot.nullable() }),
  /** All that was committed up to then; RFC 3339 in UTC. */
  z.strictObject({ kind: z.literal("time"), at: instant }),
  /** All up to the last of these transactions in the log. */
  z.strictObject({ kind: z.literal("gtid"), set: z.string().min(1).max(4_096) }),
]);
export type RestoreTarget = z.infer<typeof restoreTargetSchema>;

const restoreIdSchema = z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/);
/** Of a StatefulSet, or `namespace/name` of one. */
const CLUSTER = /^(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[a-z0-9-]{1,63}\/[a-z0-9.-]{1,253})$/;
/** What GTID sets are made of, tags included. */
const GTIDS = /^[0-9A-Za-z_:, \n-]{1,4096}$/;

/** As somebody writes it: one of `backup` (`latest` or a slot), `time` (RFC 3339 with its offset) and `gtid`. */
export const restoreTextSchema = z.strictObject({
  cluster: z.string().regex(CLUSTER).optional(),
  backup: z.union([z.literal("latest"), slot]).optional(),
  time: z.iso.datetime({ offset: true }).optional(),
  gtid: z.string().regex(GTIDS).optional(),
  store: z.string().max(253, { abort: true }).regex(OBJECT_NAME, "must be the name of a Secret").optional(),
  inPlace: z.boolean().optional(),
  id: restoreIdSchema.optional(),
});
export type RestoreText = z.infer<typeof restoreTextSchema>;

export function namesOneTarget({ backup, time, gtid }: RestoreText): boolean {
  return [backup, time, gtid].filter((one) => one !== undefined).length === 1;
}

/** One of a kind: the same one asked for again, by a manifest that is applied again, is not carried out again. */
export const restoreWishSchema = z.strictObject({
  /** Tells two wishes for the same thing apart; absent in the annotation = made of the rest. */
  id: restoreIdSchema,
  /** Secret of the store that the backup is in. */
  store: z.string().min(1).max(253),
  /** Whose backups: the uid of a StatefulSet, or its `namespace/name`; null = this cluster's own. */
  from: z.string().min(1).max(320).nullable(),
  target: restoreTargetSchema,
  /** The data that is in service may be taken out of it. */
  inPlace: z.boolean(),
});
export type RestoreWish = z.infer<typeof restoreWishSchema>;

/** `in`: the new data into service; `back`: the old data. */
export type Direction = "in" | "back";

/** What the Jobs of a restore are told. `ordinal`: of the member whose volume it is about. */
export type RestoreTask =
  /** Whether it can be done, without touching anything. */
  | ({ readonly kind: "restore-check" } & RestoreSource)
  /** Everything into a folder of the volume beside the data that is on it. */
  | ({ readonly kind: "restore-fill"; readonly ordinal: number } & RestoreSource)
  | {
      readonly kind: "restore-exchange";
      readonly id: string;
      readonly ordinal: number;
      readonly direction: Direction;
    }
  /** What a restore has left on the volume is deleted. */
  | { readonly kind: "restore-forget"; readonly id: string; readonly ordinal: number };

export type RestoreSource = Pick<RestoreWish, "id" | "store" | "from" | "target"> & {
  /** Of what came into the store after that, the newest backup is not one. By the clock of whoever began it. */
  readonly begunAt: string;
};

export const RESTORE_VERSION = 1;

/** Nothing of a restore that may still be given up is tried more often. */
export const RESTORE_ATTEMPTS_MAX = 3;

/**
 * Checking: whether it can be done. Filling: the new data is made beside the old. Through both the cluster is in service, if
 * it was. Stopping: until no server runs any more. Exchanging: from here on there is no way but forward.
 */
export const RESTORE_PHASES = ["Checking", "Filling", "Stopping", "Exchanging"] as const;
/** How many of the last wishes are remembered, so that none is carried out twice. */
export const WISHES_MAX = 16;

const runningSchema = z.strictObject({
  wish: restoreWishSchema,
  /** `back`: it is being undone. */
  direction: z.enum(["in", "back"]),
  phase: z.enum(RESTORE_PHASES),
  /** Of the Jobs of this phase. */
  attempt: z.number().int().min(1).max(1_000_000),
  begunAt: instant,
  /** When the phase was begun, or its Job begun again. */
  phaseAt: instant,
  /** How many members there were, and are to be again. */
  replicas: z.number().int().min(1).max(100),
  /** What was remembered of the cluster before; null = nothing was. */
  before: stateSchema.nullable(),
  /** The cluster was in service when it was begun, and stays so while the data is made. */
  served: z.boolean(),
  /** uid of the claim whose volume is filled; null = none is yet. */
  volume: z.string().max(64).nullable(),
});
export type RunningRestore = z.infer<typeof runningSchema>;

const doneSchema = runningSchema.pick({ wish: true, direction: true, replicas: true, before: true }).extend({
  /** Absent = not known. */
  begunAt: instant.optional(),
  endedAt: instant,
  /** Null = it was carried out. */
  fault: z.string().max(400).nullable(),
});

export const restoreMemorySchema = z.strictObject({
  v: z.literal(RESTORE_VERSION),
  clusterUid: z.string().max(64),
  running: runningSchema.nullable(),
  /** The one that ended last. */
  last: doneSchema.nullable(),
  /** What the last one that was carried out has set aside, on the volumes of so many members. */
  kept: z
    .strictObject({
      id: restoreWishSchema.shape.id,
      replicas: z.number().int().min(1).max(100),
      until: instant,
      /** It is being deleted; so many times that was begun. 0 = not yet. */
      forgetting: z.number().int().min(0).max(1_000_000),
    })
    .nullable(),
  /** Of all wishes that were begun, newest last. */
  ids: z.array(restoreWishSchema.shape.id).max(WISHES_MAX),
});
export type RestoreMemory = z.infer<typeof restoreMemorySchema>;
