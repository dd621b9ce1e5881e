/**
 * `doctor`: whether all is there that Ordinal needs for a cluster, looked at with the rights of whoever asks. It changes
 * nothing but for the small object with which a store is asked whether it writes once, as every backup asks.
 */
import { accountsSecretName } from "../access/index.ts";
import { parseWish } from "../annotations/wish.ts";
import { probeKey } from "../backup/layout.ts";
import { probeConditions } from "../backup/probe.ts";
import type { ClusterRef } from "../model/cluster.ts";
import { API_VERSION, type Check, type Examination } from "../model/documents.ts";
import type { StatefulSet } from "../model/kube.ts";
import type { Spec } from "../model/spec.ts";
import { observeUserSecret } from "../observe/cluster.ts";
import type { Clock } from "../ports/host.ts";
import {
  annotationCheck,
  budgetCheck,
  credentialsCheck,
  good,
  inputChecks,
  rightsCheck,
  serverChecks,
  serviceCheck,
  strategyCheck,
  templateChecks,
  unknown,
  unseen,
  visitCheck,
  volumeChecks,
  wrong,
} from "./checks.ts";
import { lookFromHere } from "./plans.ts";
import { readCluster } from "./read.ts";
import { BACKUP_RIGHTS, RIGHTS, secretsByName } from "./rights.ts";
import { fromHere, openStore } from "./stores.ts";
import type { Paint } from "./table.ts";
import { type Answer, type Ask, failed, notACluster, print } from "./verbs.ts";

async function templateAndBudget({ examiner }: Ask, set: StatefulSet): Promise<readonly Check[]> {
  const [template, budgets] = await Promise.all([examiner.template(set), examiner.budgets(set.namespace)]);
  return [...templateChecks(set, template), ...budgetCheck(set, template, budgets)];
}

async function setChecks(ask: Ask, set: StatefulSet): Promise<readonly Check[]> {
  const { namespace, serviceName } = set;
  const [headless, claims, template] = await Promise.all([
    serviceName === "" ? null : ask.examiner.isHeadless({ namespace, name: serviceName }),
    ask.kube.list("PersistentVolumeClaim", { namespace, labels: set.matchLabels }),
    templateAndBudget(ask, set),
  ]);
  const service = headless === null ? [] : [serviceCheck(set, headless)];
  return [...service, ...volumeChecks(set, claims), strategyCheck(set), ...template];
}

async function rightsOf(ask: Ask, set: StatefulSet, spec: Spec | null, account: string): Promise<Check> {
  const { namespace } = set;
  const read = spec === null ? [] : [spec.credentials];
  const all = spec?.backup == null ? RIGHTS : [...RIGHTS, ...BACKUP_RIGHTS];
  const rights = secretsByName(all, { read, changed: [accountsSecretName(set)] });
  const asked = await Promise.all(
    rights.map(async (right) => ({ right, answer: await ask.examiner.may(account, right, namespace) })),
  );
  return rightsCheck(account, asked);
}

async function storeChecks(ask: Ask, set: StatefulSet, spec: Spec | null): Promise<readonly Check[]> {
  const name = spec?.backup?.store;
  if (name === undefined) return [];
  const opened = await openStore(ask, { namespace: set.namespace, name });
  if (!opened.ok) {
    const { failure } = opened;
    if (failure.kind === "transient" || failure.code === 403) return [unseen("store", failure)];
    return [wrong("store", failure.message, "correct the Secret as docs/backup-stores.md describes it.")];
  }
  const { store, objects } = opened.value;
  try {
    const key = probeKey({ prefix: store.prefix, clusterUid: set.uid });
    const writesOnce = await probeConditions(objects, key);
    if (writesOnce.ok) {
      const where = `the store of Secret ${name} is reached`;
      return writesOnce.value
        ? [good("store", `${where}, and writes a new key once`)]
        : [
            wrong(
              "store",
              `${where}, but writes a new key twice`,
              "move the backups to a store that keeps to `If-None-Match`.",
            ),
          ];
    }
    const { kind, message } = fromHere(writesOnce.failure);
    // A role of the platform is given to Jobs and not to this machine.
    return kind === "transient" || store.key.kind === "iam"
      ? [
          unknown(
            "store",
            message,
            "run this where the store can be reached, or look at the log of a backup's Job.",
          ),
        ]
      : [wrong("store", message, "correct the Secret, or what its key may do in the bucket.")];
  } finally {
    objects.close();
  }
}

async function databaseChecks(
  ask: Ask,
  clock: Clock,
  set: StatefulSet,
  spec: Spec | null,
): Promise<readonly Check[]> {
  const looked = await lookFromHere(ask, clock, set);
  if (!looked.ok) return [unseen("servers", looked.failure)];
  const inputs = inputChecks(looked.value);
  if (spec === null) return inputs;
  const name = spec.credentials;
  const secret = await ask.kube.read("Secret", { namespace: set.namespace, name });
  if (!secret.ok && secret.failure.kind !== "gone") return [...inputs, unseen("credentials", secret.failure)];
  const seen = credentialsCheck(name, observeUserSecret(secret.ok ? secret.value : null));
  if (seen.verdict !== "good") return [...inputs, seen];
  return [...inputs, seen, ...serverChecks(looked.value)];
}

/** In the order in which one would look by hand. `account`: `namespace:name`; null = as it is shipped. */
export async function examine(
  ask: Ask,
  clock: Clock,
  set: StatefulSet,
  account: string | null,
): Promise<readonly Check[]> {
  const wish = parseWish(set);
  const { spec } = wish;
  const [ofSet, rights, store, database] = await Promise.all([
    setChecks(ask, set),
    rightsOf(ask, set, spec, account ?? `${set.namespace}:ordinal`),
    storeChecks(ask, set, spec),
    databaseChecks(ask, clock, set, spec),
  ]);
  const visit = wish.managed ? [visitCheck(set)] : [];
  return [annotationCheck(set, wish), ...visit, ...ofSet, rights, ...store, ...database];
}

const MARK = {
  good: ["✔", "good"],
  wrong: ["✘", "bad"],
  hint: ["!", "attention"],
  unknown: ["?", "attention"],
} as const;

export function renderChecks(checks: readonly Check[], paint: Paint): string {
  const lines = checks.flatMap(({ verdict, finding, advice }) => {
    const [mark, tone] = MARK[verdict];
    const line = `${paint(mark, tone)} ${finding}`;
    return advice === null ? [line] : [line, `    To do: ${advice}`];
  });
  return `${lines.join("\n")}\n`;
}

function conclusion(checks: readonly Check[]): string | null {
  const count = (verdict: Check["verdict"]) => checks.filter((one) => one.verdict === verdict).length;
  const [bad, open] = [count("wrong"), count("unknown")];
  if (bad + open === 0) return null;
  const unseenToo = open === 0 ? "" : ` ${open} could not be looked at.`;
  return `Of ${checks.length} checks, ${bad} found something wrong.${unseenToo}`;
}

export async function doctor(
  ask: Ask,
  clock: Clock,
  ref: ClusterRef,
  account: string | null,
): Promise<Answer> {
  const found = await readCluster(ask.kube, ref);
  if (!found.ok) return failed(found.failure);
  if (found.value.kind === "missing") return notACluster(found.value, ref);
  const checks = await examine(ask, clock, found.value.set, account);
  const document: Examination = { apiVersion: API_VERSION, kind: "Examination", ...ref, checks: [...checks] };
  const answer = print(document, ask, () => renderChecks(checks, ask.paint));
  const complaint = conclusion(checks);
  return complaint === null || answer.exitCode !== 0
    ? answer
    : { exitCode: 1, complaint, output: answer.output };
}
