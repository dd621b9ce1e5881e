/**
 * How a stream says that it cannot be read to its end. Values are for calls; a stream that is being iterated can
 * only throw, so it throws a failure that is known, and whoever started the work makes an outcome of it again.
 */
import type { Failure, Outcome } from "./outcome.ts";

export class BrokenStream extends Error {
  readonly failure: Failure;

  constructor(failure: Failure, options?: ErrorOptions) {
    super(failure.message, options);
    this.name = "BrokenStream";
    this.failure = failure;
  }
}

/** For code inside of a stream that calls what answers with outcomes. */
export function orBreak<T>(outcome: Outcome<T>): T {
  if (outcome.ok) return outcome.value;
  throw new BrokenStream(outcome.failure);
}
