/**
 * Whose log is archived, and how members are reached for that. A replica that follows has what was acknowledged and
 * nothing of its own, and to read its log costs clients nothing; the primary is read only where there is nobody else. A
 * label that is wrong for a moment costs nothing, since what is stored is told apart by what each server had.
 */
import { accountsSecretName, replicationKey } from "../../access/index.ts";
import { ANNOTATION, LABEL } from "../../annotations/keys.ts";
import { decodeState } from "../../annotations/state.ts";
import type { Tip } from "../../backup/archive/look.ts";
import { type ClusterRef, clusterKey } from "../../model/cluster.ts";
import type { Secret, StatefulSet } from "../../model/kube.ts";
import { fail, type Outcome, succeed } from "../../model/outcome.ts";
import type { State } from "../../model/state.ts";
import { frameMembers, type MemberFrame } from "../../observe/cluster.ts";
import type { Engine } from "../../ports/engine.ts";
import type { Kube } from "../../ports/kube.ts";
import type { ConnectOptions } from "../../ports/server.ts";

const LIMITS = { connectTimeoutMs: 2_000, queryTimeoutMs: 5_000 };

export interface Asking {
  readonly kube: Kube;
  readonly engine: Engine;
  /** Names the host to the servers' lists of sessions. */
  readonly component: string;
}

interface Members {
  readonly frames: readonly MemberFrame[];
  readonly secret: Secret;
}

async function readMembers({ kube }: Asking, set: StatefulSet): Promise<Outcome<Members>> {
  const { namespace } = set;
  const [pods, claims, secret] = await Promise.all([
    kube.list("Pod", { namespace, labels: set.matchLabels }),
    kube.list("PersistentVolumeClaim", { namespace, labels: set.matchLabels }),
    kube.read("Secret", { namespace, name: accountsSecretName(set) }),
  ]);
  if (!pods.ok) return pods;
  if (!claims.ok) return claims;
  if (!secret.ok) return secret;
  if (secret.value.ownerUid !== set.uid)
    return fail("refused", `the Secret ${accountsSecretName(set)} is not Ordinal's`);
  const { frames } = frameMembers(set, pods.value, claims.value, { state: null, restore: { kind: "none" } });
  return succeed({ frames, secret: secret.value });
}

/** By the account with which it copies from others itself. Nobody is reached who could be somebody else. */
function wayTo(
  { engine, component }: Asking,
  set: StatefulSet,
  { ordinal, podName, pod, claim }: MemberFrame,
  { values }: Secret,
): Outcome<ConnectOptions> {
  const authority = claim?.annotations[ANNOTATION.serverAuthority];
  const password = values[replicationKey(ordinal)];
  if (pod?.ready !== true || pod.deleting || pod.ip === null)
    return fail("transient", `${podName} is not ready`);
  if (authority === undefined || password === undefined)
    return fail("transient", `${podName} is not prepared yet`);
  return succeed({
    ...{ host: pod.ip, port: engine.rules.port, authority, ...LIMITS },
    credentials: { username: engine.accountNames.replication(ordinal), password },
    attributes: { program_name: `${component} archive`, cluster: clusterKey(set) },
  });
}

function recorded(set: StatefulSet): State | null {
  const read = decodeState(set.annotations[ANNOTATION.state], set.uid);
  return read.kind === "valid" ? read.state : null;
}

/** `transient` while there is nobody who could be read. */
export async function reachSource(asking: Asking, set: StatefulSet): Promise<Outcome<ConnectOptions>> {
  const members = await readMembers(asking, set);
  if (!members.ok) return members;
  const { frames, secret } = members.value;
  const [only] = frames;
  if (frames.length === 1 && only !== undefined) return wayTo(asking, set, only, secret);
  const able = frames
    .filter(({ pod }) => pod?.labels[LABEL.role] === "replica")
    .map((frame) => wayTo(asking, set, frame, secret));
  return able.findLast(({ ok }) => ok) ?? fail("transient", `no replica of ${set.name} is ready and follows`);
}

/**
 * What the primary has, at an instant at which there was no other: no other one is opened before it is recorded that
 * there is to be one.
 */
export async function askPrimary(
  asking: Asking,
  ref: ClusterRef,
  askTip: (to: ConnectOptions) => Promise<Outcome<Tip>>,
): Promise<Outcome<Tip>> {
  const unclear = fail("transient", "the primary is being changed");
  const before = await asking.kube.read("StatefulSet", ref);
  if (!before.ok) return before;
  const state = recorded(before.value);
  if (state?.phase !== "Steady" || state.established === null || state.pending !== null) return unclear;
  const members = await readMembers(asking, before.value);
  if (!members.ok) return members;
  const { frames, secret } = members.value;
  const { primary } = state.established;
  const frame = frames.find(({ ordinal }) => ordinal === primary.ordinal);
  if (frame === undefined) return unclear;
  const way = wayTo(asking, before.value, frame, secret);
  if (!way.ok) return way;
  const tip = await askTip(way.value);
  if (!tip.ok || tip.value.serverUuid !== primary.serverUuid) return tip.ok ? unclear : tip;
  const after = await asking.kube.read("StatefulSet", ref);
  if (!after.ok) return after;
  const same = recorded(after.value);
  return same?.epoch === state.epoch && same.pending === null && same.phase === "Steady" ? tip : unclear;
}
