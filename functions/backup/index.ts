/** A request for a backup is recorded; the next pass begins it. */
import type { RequestFunction } from "../../shared/hosts/http/function.ts";
import { recordWish } from "../../shared/hosts/http/requests.ts";

export const requestFunction: RequestFunction = {
  name: "backup",
  answers: {
    backup: (asked, tools) => recordWish(asked, { kind: "backup", wish: asked.body }, tools),
  },
};
