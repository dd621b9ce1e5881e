/** One kind of statement: its text without superfluous spaces, and what it does. */
import type { Row, Value } from "../../../../shared/ports/server.ts";
import type { Session } from "../session.ts";

/** Nothing for a statement without rows. */
// biome-ignore lint/suspicious/noConfusingVoidType: handlers that answer nothing should not have to say so.
export type Answer = readonly Row[] | void;

export interface Statement {
  readonly pattern: RegExp;
  readonly run: (
    session: Session,
    match: RegExpExecArray,
    values: readonly Value[],
  ) => Answer | Promise<Answer>;
}
