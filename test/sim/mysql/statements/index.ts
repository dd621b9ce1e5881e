/**
 * The statements that shared/engines/mysql emits, and no others: what is not in these tables is thrown as a
 * bug, so that the model cannot silently fall behind the engine. The contract suite compares their outcomes
 * with a real server's.
 */
import type { Row, Value } from "../../../../shared/ports/server.ts";
import type { Session } from "../session.ts";
import { ACCOUNT_STATEMENTS } from "./accounts.ts";
import { CHANGE_STATEMENTS } from "./change-of-primary.ts";
import { CLONE_STATEMENTS } from "./clone.ts";
import { READ_STATEMENTS } from "./reading.ts";
import { REPLICATION_STATEMENTS } from "./replication.ts";
import { selectColumns } from "./select.ts";
import { SETTING_STATEMENTS } from "./settings.ts";
import type { Statement } from "./statement.ts";
import { TAIL_STATEMENTS } from "./tail.ts";
import { perText } from "./texts.ts";

const STATEMENTS: readonly Statement[] = [
  ...READ_STATEMENTS,
  ...SETTING_STATEMENTS,
  ...ACCOUNT_STATEMENTS,
  ...REPLICATION_STATEMENTS,
  ...CHANGE_STATEMENTS,
  ...CLONE_STATEMENTS,
  ...TAIL_STATEMENTS,
];

const recognised = perText((sql) => {
  const text = sql.replaceAll(/\s+/g, " ").trim();
  for (const { pattern, run } of STATEMENTS) {
    const match = pattern.exec(text);
    if (match !== null) return { text, known: { run, match } };
  }
  return { text, known: null };
});

export async function runStatement(
  session: Session,
  sql: string,
  values: readonly Value[],
): Promise<readonly Row[]> {
  const { text, known } = recognised(sql);
  if (known !== null) return (await known.run(session, known.match, values)) ?? [];
  const row = await selectColumns(session, text, values);
  if (row !== null) return [row];
  throw new Error(`not a statement of the simulated MySQL: ${text}`);
}
