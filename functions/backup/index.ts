/** A request for a backup: checked like every other, and then refused until there are backups. */
import { problem } from "../../shared/hosts/http/answers.ts";
import type { RequestFunction } from "../../shared/hosts/http/function.ts";

const DETAIL = "Backups are not available in this version: take one with the tools of the database.";

export const requestFunction: RequestFunction = {
  name: "backup",
  answers: { backup: () => Promise.resolve(problem(501, DETAIL)) },
};
