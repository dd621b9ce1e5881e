/** A request for another primary is recorded; the next pass acts on it. */
import type { RequestFunction } from "../../shared/hosts/http/function.ts";
import { recordWish } from "../../shared/hosts/http/requests.ts";

export const requestFunction: RequestFunction = {
  name: "switchover",
  answers: {
    switchover: (asked, tools) => recordWish(asked, { kind: "switchover", wish: asked.body }, tools),
  },
};
