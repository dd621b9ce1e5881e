/** From a scenario that fails to a smaller one that fails in the same way. */
import type { Scenario } from "./model.ts";
import { type RunOptions, runScenario } from "./run.ts";

export interface Shrunk {
  readonly scenario: Scenario;
  readonly violation: string;
  readonly runs: number;
}

/** What is wrong, without who it happened to. */
export function kindOf(violation: string): string {
  const [, invariant] = /^(INV-\d+)/.exec(violation) ?? [];
  return (
    invariant ??
    violation
      .replaceAll(/\[.*|mysql-\d|\d+|client-\S+|sticky-\S+/gs, "")
      .trim()
      .slice(0, 40)
  );
}

function without<T>(list: readonly T[], at: number): T[] {
  return list.filter((_, place) => place !== at);
}

/** Each a little smaller than the scenario, the greatest steps first. */
function* smaller(scenario: Scenario): Generator<Scenario> {
  const { faults, hosts, clients, endMs } = scenario;
  if (faults.length > 3) {
    const half = Math.ceil(faults.length / 2);
    yield { ...scenario, faults: faults.slice(0, half) };
    yield { ...scenario, faults: faults.slice(half) };
  }
  for (let at = faults.length - 1; at >= 0; at -= 1) yield { ...scenario, faults: without(faults, at) };
  for (let at = hosts.length - 1; at >= 0 && hosts.length > 1; at -= 1)
    yield { ...scenario, hosts: without(hosts, at) };
  if (scenario.sticky) yield { ...scenario, sticky: false };
  if (clients > 1) yield { ...scenario, clients: 1 };
  if (hosts.some(({ skewMs }) => skewMs !== 0))
    yield { ...scenario, hosts: hosts.map((host) => ({ ...host, skewMs: 0 })) };
  if (endMs > 4_000) yield { ...scenario, endMs: Math.round(endMs * 0.7) };
}

export async function shrink(
  scenario: Scenario,
  violation: string,
  { runsMax = 150, ...options }: RunOptions & { readonly runsMax?: number } = {},
): Promise<Shrunk> {
  let best: Shrunk = { scenario, violation, runs: 0 };
  let runs = 0;
  for (let again = true; again && runs < runsMax; ) {
    again = false;
    for (const candidate of smaller(best.scenario)) {
      if (runs >= runsMax) break;
      runs += 1;
      const outcome = await runScenario(candidate, options);
      if (outcome.violation === null || kindOf(outcome.violation) !== kindOf(violation)) continue;
      best = { scenario: candidate, violation: outcome.violation, runs };
      again = true;
      break;
    }
  }
  return { ...best, runs };
}
