/** A request for another number of members is recorded; the next pass acts on it. */
import type { RequestFunction } from "../../shared/hosts/http/function.ts";
import { recordWish } from "../../shared/hosts/http/requests.ts";

export const requestFunction: RequestFunction = {
  name: "scale",
  answers: { scale: (asked, tools) => recordWish(asked, { kind: "scale", wish: asked.body }, tools) },
};
