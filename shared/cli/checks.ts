/**
 * What an examination concludes from what was looked at: one sentence for each finding, and for what is wrong one that
 * says what to do. What could not be looked at is said to be unknown, and never taken for good. Pure.
 */
import { ANNOTATION } from "../annotations/keys.ts";
import { oneLine } from "../annotations/text.ts";
import { inputProblems } from "../decide/problems/input.ts";
import { serverProblems } from "../decide/problems/servers.ts";
import { silence } from "../decide/situation.ts";
import { rules } from "../engines/mysql/rules.ts";
import { ADVICE } from "../model/advice.ts";
import type { Problem, ProblemCode } from "../model/condition.ts";
import { databaseContainer } from "../model/data-volume.ts";
import type { Check } from "../model/documents.ts";
import type { PersistentVolumeClaim, StatefulSet } from "../model/kube.ts";
import type { Member, Observed, SecretObservation, Wish } from "../model/observed.ts";
import type { Failure, Outcome } from "../model/outcome.ts";
import { MEMBERS_MAX } from "../model/state.ts";
import type { ResourceRight, TemplateTraits } from "../ports/examiner.ts";
import { outOfReach } from "./plans.ts";
import { rightText } from "./rights.ts";

const TEXT_MAX = 400;

/** A finding, and no sentence: what to do comes after it. */
const findingOf = (text: string): string => oneLine(text.replace(/\.$/, ""), TEXT_MAX);

export function good(check: string, finding: string): Check {
  return { check, verdict: "good", finding, advice: null };
}

export function wrong(check: string, finding: string, advice: string): Check {
  return { check, verdict: "wrong", finding: findingOf(finding), advice };
}

function hint(check: string, finding: string, advice: string | null): Check {
  return { check, verdict: "hint", finding, advice };
}

export function unknown(check: string, finding: string, advice: string): Check {
  return { check, verdict: "unknown", finding: findingOf(finding), advice };
}

const GRANT = "ask somebody who may look at it, or have the right granted.";

export function unseen(check: string, { message, code }: Failure): Check {
  return unknown(
    check,
    message,
    code === 403 ? GRANT : "try again; if it stays so, find out what hinders it.",
  );
}

const told =
  (check: string) =>
  ({ code, message }: Problem): Check =>
    wrong(check, message, ADVICE[code]);

/** Problems of what the user gave, by what they are about. */
const ABOUT = [
  {
    check: "annotations",
    codes: ["AnnotationInvalid", "AnnotationUnknown", "AnnotationsTooLarge"],
    fine: "the annotations can be read",
  },
  {
    check: "names",
    codes: ["NameTaken"],
    fine: "no other object uses a name that Ordinal needs",
  },
  {
    check: "record",
    codes: ["StateForeign", "StateTooNew", "StateInvalid"],
    fine: "what Ordinal has recorded, if anything, can be read",
  },
  {
    check: "shape",
    codes: ["ReplicasZero", "ScaleRefused", "NoPersistentVolume", "NoGoverningService"],
    fine: "it has members, volumes and a governing Service",
  },
] as const satisfies readonly { check: string; codes: readonly ProblemCode[]; fine: string }[];

export function inputChecks(observed: Observed): readonly Check[] {
  const problems = inputProblems(observed);
  return ABOUT.flatMap(({ check, codes, fine }): readonly Check[] => {
    const about: readonly ProblemCode[] = codes;
    const found = problems.filter(({ code }) => about.includes(code));
    return found.length === 0 ? [good(check, fine)] : found.map(told(check));
  });
}

export function annotationCheck(set: StatefulSet, wish: Wish): Check {
  const { namespace, name } = set;
  if (wish.managed) return good("managed", `StatefulSet ${namespace}/${name} is annotated for Ordinal`);
  const how = `kubectl ordinal adopt ${name} -n ${namespace} --credentials SECRET`;
  return wrong(
    "managed",
    `StatefulSet ${namespace}/${name} is not annotated, so Ordinal leaves it alone`,
    `to have it managed: ${how}`,
  );
}

/** Nothing is written to a settled cluster, so this says that one has looked, and not how long ago. */
export function visitCheck({ annotations, namespace }: StatefulSet): Check {
  const phase = annotations[ANNOTATION.phase];
  if (phase !== undefined)
    return good("visited", `Ordinal has looked at it and recorded ${oneLine(phase, 32)}`);
  return wrong(
    "visited",
    "no Ordinal has looked at it yet",
    `see that one runs that serves namespace ${namespace} (docs/deployment.md), and read its log.`,
  );
}

export function serviceCheck({ serviceName, namespace }: StatefulSet, headless: Outcome<boolean>): Check {
  const service = `Service ${namespace}/${oneLine(serviceName, 63)}`;
  if (!headless.ok && headless.failure.kind !== "gone") return unseen("service", headless.failure);
  if (!headless.ok) {
    return wrong("service", `${service} does not exist, so members have no names`, ADVICE.NoGoverningService);
  }
  if (headless.value) return good("service", `${service} is headless`);
  return wrong(
    "service",
    `${service} is not headless, so members have no names`,
    "make it anew with `clusterIP: None`.",
  );
}

export function volumeChecks(
  set: StatefulSet,
  claims: Outcome<readonly PersistentVolumeClaim[]>,
): readonly Check[] {
  const kept = set.keepsClaims
    ? good("retention", "volumes of members that are scaled away stay")
    : wrong(
        "retention",
        "volumes of members that are scaled away are deleted at once (whenScaled: Delete)",
        "set `persistentVolumeClaimRetentionPolicy.whenScaled` to `Retain`.",
      );
  if (!claims.ok) return [unseen("volumes", claims.failure), kept];
  const ordinals = Array.from({ length: Math.min(set.replicas, MEMBERS_MAX) }, (_, ordinal) => ordinal);
  const names = ordinals.flatMap((ordinal) => set.claimTemplates.map((of) => `${of}-${set.name}-${ordinal}`));
  const bad = names.flatMap((name) => {
    const claim = claims.value.find((one) => one.name === name);
    if (claim?.phase === "Bound") return [];
    return [`${name} ${claim === undefined ? "does not exist" : `is ${oneLine(claim.phase, 32)}`}`];
  });
  const describe = `find out why: kubectl get pvc,events -n ${set.namespace}`;
  const bound =
    bad.length === 0
      ? good("volumes", `${names.length} of ${names.length} volumes are bound`)
      : wrong("volumes", `of ${names.length} volumes, ${bad.join(", ")}`, describe);
  return names.length === 0 ? [kept] : [bound, kept];
}

export function strategyCheck({ rollout: { strategy } }: StatefulSet): Check {
  if (strategy !== null) return good("strategy", `changes of the template are rolled out, with ${strategy}`);
  return wrong(
    "strategy",
    "its updateStrategy is none that Ordinal knows",
    "set `updateStrategy.type` to `RollingUpdate` or `OnDelete`.",
  );
}

const HOOK_SHOWN = "kubectl ordinal adopt NAME --print-hook";

/** With one member there is nobody to hand over to, and nothing to spread. */
export function templateChecks(set: StatefulSet, template: Outcome<TemplateTraits>): readonly Check[] {
  if (set.replicas < 2) return [];
  if (!template.ok) return [unseen("hook", template.failure)];
  const { hooked, spreads } = template.value;
  const isHooked = hooked.includes(databaseContainer(set, rules)?.name ?? "");
  return [
    isHooked
      ? good("hook", "a preStop hook lets the primary hand over before it is stopped")
      : wrong(
          "hook",
          "no preStop hook: after a planned stop of the primary, a failover waits for it first",
          `add the one that ${HOOK_SHOWN.replace("NAME", set.name)} prints (docs/planned-stops.md).`,
        ),
    spreads
      ? good("spread", "its pods are spread")
      : hint("spread", "its pods may all run on one node", "give the template a podAntiAffinity."),
  ];
}

export function budgetCheck(
  { name, replicas }: StatefulSet,
  template: Outcome<TemplateTraits>,
  budgets: Outcome<readonly Readonly<Record<string, string>>[]>,
): readonly Check[] {
  if (replicas < 2 || !template.ok) return [];
  if (!budgets.ok) return [unseen("budget", budgets.failure)];
  const { labels } = template.value;
  const covers = (selector: Readonly<Record<string, string>>) =>
    Object.entries(selector).every(([key, value]) => labels[key] === value);
  return [
    budgets.value.some(covers)
      ? good("budget", "a PodDisruptionBudget is about its pods")
      : hint(
          "budget",
          "a drain may stop several members at once",
          `make a PodDisruptionBudget for ${name} with \`maxUnavailable: 1\`.`,
        ),
  ];
}

export function credentialsCheck(name: string, secret: SecretObservation): Check {
  switch (secret.kind) {
    case "found":
    case "taken":
      return good("credentials", `Secret ${name} has a password`);
    case "missing":
      return wrong(
        "credentials",
        `Secret ${name} does not exist`,
        "create it with the keys password and, unless the account is root, username.",
      );
    case "malformed":
      return wrong("credentials", `Secret ${name} cannot be used: ${secret.reason}`, "put the key into it.");
  }
}

export interface Asked {
  readonly right: ResourceRight;
  readonly answer: Outcome<boolean>;
}

export function rightsCheck(account: string, asked: readonly Asked[]): Check {
  const lost = asked.map(({ answer }) => answer).find((answer) => !answer.ok);
  const whose = `system:serviceaccount:${account}`;
  if (lost !== undefined && !lost.ok) {
    const { code, message } = lost.failure;
    const advice =
      code === 403
        ? "whoever may create localsubjectaccessreviews can ask, as the role admin may."
        : "try again.";
    return unknown("rights", `the rights of ${whose} cannot be asked for: ${message}`, advice);
  }
  const missing = asked
    .filter(({ answer }) => answer.ok && !answer.value)
    .map(({ right }) => rightText(right));
  const held = `${asked.length - missing.length} of ${asked.length}`;
  if (missing.length === 0) return good("rights", `rights of ${whose}: ${held}`);
  return wrong(
    "rights",
    `rights of ${whose}: ${held}; missing: ${missing.join(", ")}`,
    "apply infra/kustomize in this namespace, or say with --as-account what account Ordinal has.",
  );
}

function memberCheck(member: Member): readonly Check[] {
  const { podName, pod, server } = member;
  const away = outOfReach(member);
  if (away !== null)
    return [unknown("servers", away, "run this where kubectl port-forward may reach that pod.")];
  if (server.kind === "unreachable" || pod?.ip == null) {
    return [wrong("servers", `${podName} does not answer: ${silence(member)}`, ADVICE.MemberUnreachable)];
  }
  if (server.kind !== "absent") return [];
  return [unknown("servers", `${podName} was not asked`, "correct what is wrong above first.")];
}

/** What takes no restart Ordinal does by itself. */
function settingChecks(members: readonly Member[]): readonly Check[] {
  const found = members.flatMap(({ ordinal, podName, server }): readonly Check[] => {
    if (server.kind !== "read" || rules.unsupported(server.facts) !== null) return [];
    const place = { ordinal, role: "replica", ackCount: 0, resumes: false } as const;
    const rest = { ordinals: [], deletesLogs: null, takenNumbers: [] } as const;
    return rules
      .preparations(server.facts, { ...place, ...rest })
      .filter(({ kind }) => kind === "gtid" || kind === "plugins")
      .map(({ text }) => hint("settings", `${podName}: Ordinal will do this by itself: ${text}`, null));
  });
  const read = members.some(({ server }) => server.kind === "read");
  return found.length === 0 && read
    ? [good("settings", "GTID mode is on, and the plugins are installed")]
    : found;
}

export function serverChecks({ members }: Observed): readonly Check[] {
  const silent = members.flatMap(memberCheck);
  const problems = serverProblems(members, rules).map(told("servers"));
  const versions = members.flatMap(({ server }) => (server.kind === "read" ? [server.facts.version] : []));
  const names = [...new Set(versions)].map((version) => `${rules.title} ${oneLine(version, 40)}`).join(", ");
  const reached = `${versions.length} of ${members.length} servers answer: ${names}, binary log on`;
  const isFine = versions.length > 0 && problems.length === 0;
  const bad = [...silent, ...problems];
  return [...(isFine ? [good("servers", reached)] : []), ...bad, ...(isFine ? settingChecks(members) : [])];
}
