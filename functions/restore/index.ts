/** A request for a restore is recorded; the next pass begins it. */
import type { RequestFunction } from "../../shared/hosts/http/function.ts";
import { recordWish } from "../../shared/hosts/http/requests.ts";

export const requestFunction: RequestFunction = {
  name: "restore",
  answers: {
    restore(asked, tools) {
      // The same request that comes again is the same restore.
      const wish = { ...asked.body, id: asked.body.id ?? `h${asked.key}` };
      return recordWish(asked, { kind: "restore", wish }, tools);
    },
  },
};
