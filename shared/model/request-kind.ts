/** What may be asked for, by name alone: whoever only has to tell requests apart does without their schemas. */
export const REQUEST_KINDS = ["scale", "switchover", "backup", "restore"] as const;
export type RequestKind = (typeof REQUEST_KINDS)[number];
