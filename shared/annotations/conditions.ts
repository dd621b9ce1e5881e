/**
 * The conditions annotation: what is true now, for people and for `kubectl wait`. Never truth for a decision:
 * what cannot be read is left out. A pass that finds nothing new must find nothing to write: see news.ts.
 */
import {
  type Condition,
  conditionSchema,
  PROBLEM_CODES,
  type Problem,
  type ProblemCode,
} from "../model/condition.ts";
import { canonicalJson, parseJson } from "./json.ts";
import { KEYS } from "./keys.ts";
import { sameNews } from "./news.ts";
import { oneLine, utf8Bytes } from "./text.ts";

const BYTES_MAX = KEYS.conditions.bytesMax;
export const MESSAGE_MAX = 200;
const COUNT_MAX = 64;
/** Tried one after the other until the list fits. */
const MESSAGE_CUTS = [MESSAGE_MAX, 120, 60, 20, 1];

/**
 * Messages get shorter first, all alike; then the last conditions are left out. `Ready` is the first, so it
 * is the last to go.
 */
export function encodeConditions(conditions: readonly Condition[], bytesMax: number = BYTES_MAX): string {
  const limit = Math.min(bytesMax, BYTES_MAX);
  const listed = conditions.slice(0, COUNT_MAX);
  const cutTo = (length: number) =>
    listed.map((one) => canonicalJson({ ...one, message: oneLine(one.message, length) }));
  const join = (texts: readonly string[]) => `[${texts.join(",")}]`;

  let texts: string[] = [];
  for (const length of MESSAGE_CUTS) {
    texts = cutTo(length);
    if (utf8Bytes(join(texts)) <= limit) return join(texts);
  }
  while (texts.length > 0 && utf8Bytes(join(texts)) > limit) texts.pop();
  return join(texts);
}

/** Never throws. */
export function decodeConditions(raw: string | undefined): readonly Condition[] {
  const parsed = parseJson(raw ?? "[]", BYTES_MAX);
  if (!parsed.ok || !Array.isArray(parsed.value)) return [];
  return parsed.value.slice(0, COUNT_MAX).flatMap((condition) => {
    const checked = conditionSchema.safeParse(condition);
    return checked.success ? [checked.data] : [];
  });
}

interface Finding {
  readonly type: string;
  readonly status: Condition["status"];
  readonly reason: string;
  readonly message: string;
}

/** One finding per code. Several problems of one code give the first one's sentence and a count. */
function findings(problems: readonly Problem[]): readonly Finding[] {
  const byCode = new Map<ProblemCode, Problem[]>();
  for (const problem of problems) byCode.set(problem.code, [...(byCode.get(problem.code) ?? []), problem]);
  const codes = Object.keys(PROBLEM_CODES).filter((code): code is ProblemCode => code in PROBLEM_CODES);
  return codes.flatMap((code): Finding[] => {
    const [first, ...others] = (byCode.get(code) ?? []).toSorted(
      (a, b) => (a.ordinal ?? -1) - (b.ordinal ?? -1),
    );
    if (first === undefined) return [];
    const more = others.length === 0 ? "" : ` (and ${others.length} more)`;
    const message = oneLine(first.message, MESSAGE_MAX - more.length) + more;
    return [{ type: code, status: "True", reason: code, message }];
  });
}

export interface Ready {
  readonly status: Condition["status"];
  readonly reason: string;
  readonly message: string;
}

/**
 * The conditions that follow from what was found: `Ready` first, then one per problem code in the order of
 * the table of codes, so that equal findings are equal lists. A problem that is gone leaves the list; that
 * it was there is told by its Event and the history. `lastTransitionAt` stays while status and reason do.
 * `nowMs` is milliseconds since 1970.
 */
export function nextConditions(
  previous: readonly Condition[],
  problems: readonly Problem[],
  ready: Ready,
  moment: { readonly generation: number; readonly nowMs: number },
): readonly Condition[] {
  const found: readonly Finding[] = [
    { type: "Ready", ...ready, message: oneLine(ready.message, MESSAGE_MAX) },
    ...findings(problems),
  ];
  return found.map((finding): Condition => {
    const before = previous.find((condition) => condition.type === finding.type);
    const unchanged =
      before !== undefined && before.status === finding.status && before.reason === finding.reason;
    const keepMessage = unchanged && sameNews(before.message, finding.message);
    return {
      ...finding,
      message: keepMessage ? before.message : finding.message,
      lastTransitionAt: unchanged ? before.lastTransitionAt : new Date(moment.nowMs).toISOString(),
      observedGeneration: moment.generation,
    };
  });
}
