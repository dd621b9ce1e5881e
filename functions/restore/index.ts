/** A request for a restore is recorded; the next pass begins it. */
import { restoreWish } from "../../shared/annotations/restore-wish.ts";
import { problem } from "../../shared/hosts/http/answers.ts";
import type { RequestFunction } from "../../shared/hosts/http/function.ts";
import { recordWish } from "../../shared/hosts/http/requests.ts";

/** Whether it names the store itself is known once the cluster is read. */
const ANY_STORE = "named-by-the-cluster";

export const requestFunction: RequestFunction = {
  name: "restore",
  answers: {
    async restore(asked, tools) {
      const read = restoreWish(ANY_STORE)(JSON.stringify(asked.body));
      if ("wanted" in read) return problem(422, `The wish cannot be understood: ${read.wanted}.`);
      // The same request that comes again is the same restore.
      const wish = { ...asked.body, id: asked.body.id ?? `h${asked.key}` };
      return await recordWish(asked, { kind: "restore", wish }, tools);
    },
  },
};
