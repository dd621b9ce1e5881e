/**
 * Kubernetes' side of a snapshot: the StatefulSet, its pods, and, in a full look, claims, Secrets and
 * Services. Reads only, and every read is a quorum read.
 */
import { accountsSecretName } from "../access/index.ts";
import { oneLine } from "../annotations/text.ts";
import { REASON_MAX } from "../model/backup.ts";
import { backupJobName, proofJobName, restoreJobs } from "../model/job-name.ts";
import type { Job, PersistentVolumeClaim, Pod, Secret, Service, StatefulSet } from "../model/kube.ts";
import type {
  BackupsObservation,
  JobObservation,
  Member,
  Observed,
  RestoreObservation,
  SecretObservation,
  ServiceObservation,
} from "../model/observed.ts";
import { type Outcome, succeed } from "../model/outcome.ts";
import { MEMBERS_SEEN_MAX, type State } from "../model/state.ts";
import type { Kube } from "../ports/kube.ts";

/** Null = there is none. Rights by name may have been given for other names: that is told like one that is missing. */
export type UserSecret = Secret | "forbidden" | null;

/** What a look from afar need not read again; a resident host keeps it between passes. */
export interface Surroundings {
  readonly claims: readonly PersistentVolumeClaim[];
  readonly user: UserSecret;
  readonly accounts: Secret | null;
  readonly primary: Service | null;
  readonly replicas: Service | null;
}

/** A missing object is an answer, not a failure. */
async function readOrNull<T>(reading: Promise<Outcome<T>>): Promise<Outcome<T | null>> {
  const answer = await reading;
  return !answer.ok && answer.failure.kind === "gone" ? succeed(null) : answer;
}

const HTTP_FORBIDDEN = 403;

async function readUserSecret(
  kube: Kube,
  namespace: string,
  name: string | null,
): Promise<Outcome<UserSecret>> {
  if (name === null) return succeed(null);
  const read = await readOrNull(kube.read("Secret", { namespace, name }));
  return !read.ok && read.failure.code === HTTP_FORBIDDEN ? succeed("forbidden") : read;
}

export async function readSurroundings(
  kube: Kube,
  set: StatefulSet,
  credentials: string | null,
): Promise<Outcome<Surroundings>> {
  const { namespace, name } = set;
  const [claims, user, accounts, primary, replicas] = await Promise.all([
    kube.list("PersistentVolumeClaim", { namespace, labels: set.matchLabels }),
    readUserSecret(kube, namespace, credentials),
    readOrNull(kube.read("Secret", { namespace, name: accountsSecretName(set) })),
    readOrNull(kube.read("Service", { namespace, name: `${name}-primary` })),
    readOrNull(kube.read("Service", { namespace, name: `${name}-replicas` })),
  ]);
  if (!claims.ok) return claims;
  if (!user.ok) return user;
  if (!accounts.ok) return accounts;
  if (!primary.ok) return primary;
  if (!replicas.ok) return replicas;
  return succeed({
    claims: claims.value,
    user: user.value,
    accounts: accounts.value,
    primary: primary.value,
    replicas: replicas.value,
  });
}

export function observeUserSecret(secret: UserSecret): SecretObservation {
  if (secret === null) return { kind: "missing" };
  if (secret === "forbidden")
    return { kind: "malformed", reason: "Ordinal may not read it; grant it get on that Secret" };
  if ((secret.values["password"] ?? "") === "")
    return { kind: "malformed", reason: "it has no key password" };
  return { kind: "found", uid: secret.uid, keys: Object.keys(secret.values) };
}

export function observeAccountsSecret(secret: Secret | null, set: StatefulSet): SecretObservation {
  if (secret === null) return { kind: "missing" };
  if (secret.ownerUid !== set.uid) return { kind: "taken" };
  return { kind: "found", uid: secret.uid, keys: Object.keys(secret.values) };
}

export function observeService(service: Service | null, set: StatefulSet): ServiceObservation {
  if (service === null) return { kind: "missing" };
  return service.ownerUid === set.uid ? { kind: "found", service } : { kind: "taken" };
}

/** All that Kubernetes says when the only pod of a Job has failed. */
const POD_FAILED = "BackoffLimitExceeded";

/** Of its pod's containers, in their order; null = they cannot be read. */
async function containersOf(kube: Kube, { namespace, name }: Job): Promise<Pod["containers"] | null> {
  const pods = await kube.list("Pod", { namespace, labels: { "batch.kubernetes.io/job-name": name } });
  return pods.ok ? pods.value.flatMap((pod) => pod.containers) : null;
}

/** One that was killed said nothing, and what is kept of it then is the end of its log. Others put the dot behind it. */
function lastWords(containers: Pod["containers"]): string | undefined {
  const said = containers
    .map((one) => one.said ?? "")
    .findLast((text) => text !== "" && !text.startsWith("{"));
  return said === undefined ? undefined : oneLine(said, REASON_MAX).replace(/\.$/, "");
}

/** What the program that failed said last; else how Kubernetes saw it end, which for the Job is that it failed. */
async function howItFailed(kube: Kube, job: Job): Promise<string | null> {
  const { failure } = job;
  const containers = await containersOf(kube, job);
  if (containers === null) return failure;
  const said = lastWords(containers);
  if (said !== undefined) return said;
  if (failure?.startsWith(POD_FAILED) !== true) return failure;
  const killed = containers.find(({ exitCode }) => exitCode !== null && exitCode !== 0);
  if (killed === undefined) return "its pod was taken away before it had ended";
  return `its program was killed (${killed.reason ?? `exit code ${killed.exitCode}`})`;
}

/** A failure says something of that Job only: nothing else of a look waits for it. */
async function readJob(
  kube: Kube,
  { namespace, uid }: StatefulSet,
  name: string | null,
): Promise<JobObservation> {
  if (name === null) return { kind: "absent" };
  const read = await kube.read("Job", { namespace, name });
  if (read.ok) {
    const job = read.value;
    if (job.ownerUid !== uid) return { kind: "taken" };
    if (job.result === "failed")
      return { kind: "found", job: { ...job, failure: await howItFailed(kube, job) } };
    const said = job.result === "succeeded" ? lastWords((await containersOf(kube, job)) ?? []) : undefined;
    return { kind: "found", job, ...(said !== undefined && { said }) };
  }
  return read.failure.kind === "gone"
    ? { kind: "absent" }
    : { kind: "unreadable", reason: read.failure.message };
}

/** The Jobs of what is remembered to be under way; without anything under way it costs nothing. */
export async function readJobs(
  kube: Kube,
  set: StatefulSet,
  { backups, restore }: { readonly backups: BackupsObservation; readonly restore: RestoreObservation },
): Promise<Observed["jobs"]> {
  const memory = backups.kind === "valid" ? backups.memory : null;
  const { running, proving } = memory ?? { running: null, proving: null };
  const names = restore.kind === "valid" ? restoreJobs(set.name, restore.memory) : [];
  const [backup, proof, ...ofRestore] = await Promise.all([
    readJob(kube, set, running && backupJobName(set.name, running)),
    readJob(kube, set, proving && proofJobName(set.name, proving)),
    ...names.map((name) => readJob(kube, set, name)),
  ]);
  return { backup, proof, restore: ofRestore };
}

function ordinalOf(set: StatefulSet, podName: string): number | null {
  const suffix = podName.startsWith(`${set.name}-`) ? podName.slice(set.name.length + 1) : "";
  return /^(0|[1-9][0-9]{0,3})$/.test(suffix) ? Number(suffix) : null;
}

export type MemberFrame = Omit<Member, "server">;

/** What is remembered of members that need not be there. */
export interface Remembered {
  readonly state: State | null;
  readonly restore: RestoreObservation;
}

/** Those of the set, and those that are recorded beyond them: they hold what was acknowledged, or are being restored. */
function memberCount({ replicas }: StatefulSet, { state, restore }: Remembered): number {
  const configs = [state?.established, state?.pending].filter((config) => config != null);
  const recorded = configs.flatMap(({ primary, ackers }) => [primary, ...ackers]);
  const highest = Math.max(-1, ...recorded.map(({ ordinal }) => ordinal));
  const restored = restore.kind === "valid" ? (restore.memory.running?.replicas ?? 0) : 0;
  return Math.max(
    Math.min(replicas, MEMBERS_SEEN_MAX),
    highest < MEMBERS_SEEN_MAX ? highest + 1 : 0,
    restored,
  );
}

/** One frame for each member, and the pods beyond them. Pods of other owners under our labels do not count. */
export function frameMembers(
  set: StatefulSet,
  pods: readonly Pod[],
  claims: readonly PersistentVolumeClaim[],
  remembered: Remembered,
): { readonly frames: readonly MemberFrame[]; readonly surplus: readonly Pod[] } {
  const own = pods.filter((pod) => pod.ownerUid === set.uid);
  const template = set.claimTemplates[0];
  const count = memberCount(set, remembered);
  const frames = Array.from({ length: count }, (_, ordinal): MemberFrame => {
    const podName = `${set.name}-${ordinal}`;
    return {
      ordinal,
      podName,
      host: `${podName}.${set.serviceName}.${set.namespace}.svc`,
      pod: own.find((pod) => pod.name === podName) ?? null,
      claim: claims.find((claim) => claim.name === `${template}-${podName}` && !claim.deleting) ?? null,
    };
  });
  const surplus = own.filter((pod) => (ordinalOf(set, pod.name) ?? -1) >= count);
  return { frames, surplus };
}
