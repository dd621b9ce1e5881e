/** A failover that waits for a person is approved; the next pass goes on with it. */
import type { RequestFunction } from "../../shared/hosts/http/function.ts";
import { writeSetting } from "../../shared/hosts/http/settings.ts";

export const requestFunction: RequestFunction = {
  name: "approve",
  answers: {
    approve: (asked, tools) => writeSetting(asked, { kind: "approve", epoch: asked.body.epoch }, tools),
  },
};
