/** A pause, or its end, is written down; while it lasts passes look and change nothing. */
import type { RequestFunction } from "../../shared/hosts/http/function.ts";
import { writeSetting } from "../../shared/hosts/http/settings.ts";

export const requestFunction: RequestFunction = {
  name: "pause",
  answers: {
    pause: (asked, tools) => writeSetting(asked, { kind: "pause" }, tools),
    resume: (asked, tools) => writeSetting(asked, { kind: "resume" }, tools),
  },
};
