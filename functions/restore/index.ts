/** A request for a restore: checked like every other, and then refused until there are restores. */
import { problem } from "../../shared/hosts/http/answers.ts";
import type { RequestFunction } from "../../shared/hosts/http/function.ts";

const DETAIL = "Restores are not available in this version: restore with the tools of the database.";

export const requestFunction: RequestFunction = {
  name: "restore",
  answers: { restore: () => Promise.resolve(problem(501, DETAIL)) },
};
