// A vitest reporter that says why tests were skipped; the readable reporter tells only how many.

import type { Reporter, TestModule } from "vitest/node";

function reasonsOf(modules: readonly TestModule[]): ReadonlyMap<string, number> {
  const reasons = new Map<string, number>();
  for (const module of modules) {
    for (const test of module.children.allTests("skipped")) {
      const result = test.result();
      const note = result.state === "skipped" ? result.note : undefined;
      const reason = note ?? `no reason given (${test.fullName})`;
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    }
  }
  return reasons;
}

export const skipReporter: Reporter = {
  onTestRunEnd(modules) {
    for (const [reason, count] of reasonsOf(modules)) console.log(`skipped ${count}: ${reason}`);
  },
};
