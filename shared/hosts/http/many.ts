/** What answers about many clusters have in common: whose they are to see, and how they are read without keeping passes waiting. */
import { setImmediate as breath } from "node:timers/promises";
import type { User } from "../../ports/reviewer.ts";
import type { Passed } from "./answers.ts";
import type { Tools } from "./function.ts";

/** Namespaces of which rights are asked for at the same time. */
const REVIEWS_AT_A_TIME = 10;
/** Clusters that are read between two breaths of the process, some milliseconds. */
const AT_A_TIME = 20;

/** Whether the user may list the StatefulSets of each of these namespaces, in their order. */
export async function mayListEach(
  user: User,
  namespaces: readonly string[],
  { guard }: Tools,
): Promise<readonly Passed<null>[]> {
  const answers: Passed<null>[] = [];
  for (let at = 0; at < namespaces.length; at += REVIEWS_AT_A_TIME) {
    const some = namespaces.slice(at, at + REVIEWS_AT_A_TIME);
    const asked = some.map((namespace) => guard.may(user, { verb: "list" }, { namespace, name: "" }));
    answers.push(...(await Promise.all(asked)));
  }
  return answers;
}

/** Passes go on meanwhile. */
export async function inPieces<T, U>(items: readonly T[], made: (item: T) => U): Promise<U[]> {
  const all: U[] = [];
  for (const item of items) {
    all.push(made(item));
    if (all.length % AT_A_TIME === 0) await breath();
  }
  return all;
}
