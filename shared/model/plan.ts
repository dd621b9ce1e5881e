/**
 * A plan as people and programs are shown it before anything is done: what, where, and the very statements and
 * changes. Nothing is ever decided from it.
 */
import * as z from "zod";

const statementSchema = z.strictObject({
  /** Name of the pod. */
  server: z.string(),
  /** One line, its values in their places, passwords as `***`; in angle brackets what only the server knows then. */
  sql: z.string(),
});

const changeSchema = z.strictObject({
  verb: z.enum(["create", "patch", "delete"]),
  /** Kind and name, such as `Service/mysql-primary`. */
  object: z.string(),
  /** New values by path; null takes away. */
  fields: z.record(z.string(), z.union([z.string(), z.number(), z.null()])),
});

const stepSchema = z.strictObject({
  /** What is done, in a few words. */
  what: z.string(),
  /** Pods of the servers that take part, or the objects that are changed. */
  where: z.array(z.string()),
  /** In the order in which they are sent. What only looks is left out, and so is the lock. */
  statements: z.array(statementSchema),
  changes: z.array(changeSchema),
  /** Why it would not succeed as things are now; null = nothing is known that would hinder it. */
  hindered: z.string().nullable(),
});

export const planSchema = z.strictObject({
  /** One decision after the other, each with its reason and what it does. */
  stages: z.array(z.strictObject({ why: z.string(), steps: z.array(stepSchema) })),
  /** False: what follows is decided on what servers say by then. */
  complete: z.boolean(),
});

export type Statement = z.infer<typeof statementSchema>;
export type ChangeOfObject = z.infer<typeof changeSchema>;
export type PlannedStep = z.infer<typeof stepSchema>;
export type Plan = z.infer<typeof planSchema>;

/** What would be done, or why nothing would. */
export interface Preview {
  readonly plan: Plan;
  /** `code` is the condition that would say so; then the plan is empty. */
  readonly refused: { readonly code: string; readonly message: string } | null;
  /** Of the first decision, also where it has nothing to do. */
  readonly why: string;
}
