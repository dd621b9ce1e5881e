/**
 * Problems of what the user gave us: annotations, Secrets, storage, names. While one of them stands and
 * nothing is established yet, nothing is done to any database (INV-8).
 */
import { budgetProblem } from "../../annotations/budget.ts";
import { quote } from "../../annotations/text.ts";
import type { Problem } from "../../model/condition.ts";
import { OBJECT_NAME } from "../../model/kube.ts";
import type { Observed } from "../../model/observed.ts";
import { MEMBERS_MAX } from "../../model/state.ts";

function blocking(code: Problem["code"], message: string): Problem {
  return { code, message, blocks: true };
}

function storage({ set }: Observed): readonly Problem[] {
  const problems: Problem[] = [];
  if (set.replicas === 0) {
    problems.push(
      blocking(
        "ReplicasZero",
        `${set.name} has replicas: 0, so there is no server to manage; set replicas to 1 or more.`,
      ),
    );
  }
  if (set.replicas > MEMBERS_MAX) {
    problems.push(
      blocking(
        "ScaleRefused",
        `${set.name} has replicas: ${set.replicas}, and there can be ${MEMBERS_MAX} members at most; set replicas to that or less.`,
      ),
    );
  }
  if (set.claimTemplates.length === 0) {
    problems.push(
      blocking(
        "NoPersistentVolume",
        `${set.name} has no volumeClaimTemplates, so a restart loses its data; recreate it with a volume claim.`,
      ),
    );
  }
  const nameless = whyNameless(set.serviceName);
  if (nameless !== null) {
    problems.push(
      blocking(
        "NoGoverningService",
        `${set.name} has ${nameless}, so its pods have no names; add a headless Service.`,
      ),
    );
  }
  return problems;
}

/** Older Kubernetes takes any text for it, and members are told to each other by it. */
function whyNameless(serviceName: string): string | null {
  if (serviceName === "") return "no serviceName";
  const isName = serviceName.length <= 63 && OBJECT_NAME.test(serviceName) && !serviceName.includes(".");
  return isName ? null : `the serviceName ${quote(serviceName)}, which no Service can have`;
}

function credentials({ credentials, accounts, wish, set }: Observed): readonly Problem[] {
  const name = wish.spec?.credentials;
  if (accounts.kind === "taken") {
    return [
      blocking(
        "NameTaken",
        `Secret ${set.name}-ordinal belongs to somebody else; rename it so that Ordinal can keep its accounts there.`,
      ),
    ];
  }
  if (name === undefined) return [];
  switch (credentials.kind) {
    case "found":
    case "taken":
      return [];
    case "missing":
      return [
        blocking(
          "CredentialsMissing",
          `Secret ${name} does not exist; create it with the keys username and password.`,
        ),
      ];
    case "malformed":
      return [blocking("CredentialsMissing", `Secret ${name} cannot be used: ${credentials.reason}.`)];
  }
}

function names({ services, set }: Observed): readonly Problem[] {
  const taken = [
    ...(services.primary.kind === "taken" ? [`${set.name}-primary`] : []),
    ...(services.replicas.kind === "taken" ? [`${set.name}-replicas`] : []),
  ];
  return taken.map((name) =>
    blocking(
      "NameTaken",
      `Service ${name} exists and is not ours; rename it so that Ordinal can publish ${set.name} there.`,
    ),
  );
}

function recorded({ state, set }: Observed): readonly Problem[] {
  switch (state.kind) {
    case "none":
    case "valid":
      return [];
    case "foreign":
      return [
        blocking(
          "StateForeign",
          `ordinal.dev/state was copied from another cluster; remove it (kubectl annotate sts ${set.name} ordinal.dev/state-) to start anew.`,
        ),
      ];
    case "newer":
      return [
        blocking(
          "StateTooNew",
          `ordinal.dev/state was written by a newer Ordinal (format ${state.version}); upgrade this one.`,
        ),
      ];
    case "invalid":
      return [
        blocking(
          "StateInvalid",
          `ordinal.dev/state cannot be read: ${state.reason}; remove it to let Ordinal look afresh.`,
        ),
      ];
  }
}

export function inputProblems(observed: Observed): readonly Problem[] {
  const size = budgetProblem(observed.annotationBytes);
  return [
    ...observed.wish.problems,
    ...(size === null ? [] : [size]),
    ...storage(observed),
    ...credentials(observed),
    ...names(observed),
    ...recorded(observed),
  ];
}
