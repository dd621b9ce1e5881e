/** One kind of statement: its text without superfluous spaces, and what it does. */
import type { Row, Value } from "../../../../shared/ports/server.ts";
import type { Session } from "../session.ts";

export interface Statement {
  readonly pattern: RegExp;
  readonly run: (
    session: Session,
    match: RegExpExecArray,
    values: readonly Value[],
  ) => readonly Row[] | undefined | void | Promise<readonly Row[] | undefined | void>;
}
