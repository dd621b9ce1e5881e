/**
 * A function of requests on Lambda: the same front as everywhere, behind an HTTP API or a function URL. Who asks, whether
 * they may and what is answered is the front's.
 */
import { createFront } from "../http/front.ts";
import type { RequestFunction } from "../http/function.ts";
import { createGuard } from "../http/guard.ts";
import type { LambdaHandler } from "./events.ts";
import { openLambdaHost } from "./host.ts";
import { lambdaAnswer, readPayload } from "./payload.ts";

export function requestHandler(fn: RequestFunction, env: NodeJS.ProcessEnv = process.env): LambdaHandler {
  const host = openLambdaHost(env, fn.name);
  const { kube, clock, ids, log, reviewer, settings } = host;
  const front = createFront({
    ...{ kube, clock, ids, log, events: [], requests: [fn] },
    namespaces: settings.ORDINAL_NAMESPACES,
    guard: createGuard(reviewer, { clock, log }),
    // Wakes have functions of their own.
    take: () => true,
    async preview(ref, request) {
      const { contextOf, preview } = await import("./brain.ts");
      return preview(contextOf(host, { budgetMs: 0, jobImage: settings.ORDINAL_JOB_IMAGE }), ref, request);
    },
  });
  return async (payload) => {
    const read = readPayload(payload);
    if (read.kind === "http") return lambdaAnswer(await front(read.request));
    log.warn("this is no request by HTTP", { kind: read.kind });
    return { status: "refused" };
  };
}
