/**
 * A function may be killed at any instruction: a host that runs until it reports a step at which no host was
 * killed yet, and is killed there. Called again and again, it kills at each step of whatever there is to do.
 */
import { type HostOptions, type HostProcess, startHostProcess } from "./host-process.ts";

/** Long enough for what has no step of its own: a server's restart after its seeding. */
const QUIET_MS = 20_000;

export interface StepwiseOptions extends HostOptions {
  /** True = the nth step of its kind in one run counts as a step of its own. */
  readonly eachOfAKind: boolean;
  /** Ends the last run as soon as it says so, and not only when the host has long been quiet. */
  readonly finished?: () => Promise<boolean>;
}

/** Null when the host had nothing left to do. */
export async function untilNewStep(options: StepwiseOptions, met: Set<string>): Promise<string | null> {
  const counts = new Map<string, number>();
  const { promise, resolve } = Promise.withResolvers<string | null>();
  let timer = setTimeout(() => resolve(null), QUIET_MS);
  const host: HostProcess = startHostProcess({
    ...options,
    onLine(line) {
      options.onLine?.(line);
      const { message, step } = line;
      if (message !== "step" || step === undefined) return;
      clearTimeout(timer);
      timer = setTimeout(() => resolve(null), QUIET_MS);
      const nth = (counts.get(step) ?? 0) + 1;
      counts.set(step, nth);
      const name = options.eachOfAKind ? `${step} #${nth}` : step;
      if (met.has(name)) return;
      met.add(name);
      host.signal("SIGKILL");
      resolve(name);
    },
  });
  const poll = setInterval(() => {
    void options.finished?.().then((finished) => finished && resolve(null));
  }, 500);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    clearInterval(poll);
    await host.end();
  }
}
