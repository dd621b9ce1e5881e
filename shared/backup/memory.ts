/**
 * How Node is to be started for a backup or a restore, so that it keeps to 128 MiB whatever their size. The streams
 * hold little; what counts is how long the pieces that have gone through them lie around before they are collected.
 */

/** Live objects take some 20 MiB of the 48. */
export const NODE_FLAGS: readonly string[] = ["--max-semi-space-size=1", "--max-old-space-size=48"];

/** Every thread of the compression has a heap of its own otherwise. */
export const NODE_ENVIRONMENT: Readonly<Record<string, string>> = { MALLOC_ARENA_MAX: "2" };
