/**
 * What a snapshot would be once a step was carried out: for plans that are shown to people, and for what follows a
 * step in the same plan. A foresight only: every step looks again at what it rests on, and the next look at everything.
 */
import { decodeConditions, encodeConditions } from "../annotations/conditions.ts";
import { ANNOTATION, LABEL } from "../annotations/keys.ts";
import type { BackupMemory } from "../model/backup.ts";
import { type Changes, withChanges } from "../model/changes.ts";
import type { EngineRules } from "../model/engine.ts";
import { restoreJobs } from "../model/job-name.ts";
import { isOfRestore } from "../model/job-order.ts";
import type { ObjectMeta } from "../model/kube.ts";
import type { JobObservation, Member, Observed } from "../model/observed.ts";
import type { Channel, ServerFacts } from "../model/server.ts";
import type { Spec } from "../model/spec.ts";
import type { RecordStep, Step } from "../model/step.ts";

function changed<T extends ObjectMeta>(before: T, labels: Changes, annotations: Changes): T {
  return {
    ...before,
    labels: withChanges(before.labels, labels),
    annotations: withChanges(before.annotations, annotations),
  };
}

function onMembers(observed: Observed, change: (member: Member) => Member): Observed {
  return { ...observed, members: observed.members.map(change) };
}

function onFacts(observed: Observed, ordinal: number, change: (facts: ServerFacts) => ServerFacts): Observed {
  return onMembers(observed, (member) =>
    member.ordinal === ordinal && member.server.kind === "read"
      ? { ...member, server: { ...member.server, facts: change(member.server.facts) } }
      : member,
  );
}

function factsAt(observed: Observed, ordinal: number): ServerFacts | null {
  const server = observed.members.find((member) => member.ordinal === ordinal)?.server;
  return server?.kind === "read" ? server.facts : null;
}

/** Requests that were answered are no wishes any more. */
function answeredSpec(spec: Spec, answered: readonly string[]): Spec {
  const moved = {
    ...spec,
    ...(answered.includes(ANNOTATION.switchoverTo) && { switchoverTo: null }),
    ...(answered.includes(ANNOTATION.restoreUndo) && { restoreUndo: null }),
    ...(answered.includes(ANNOTATION.restoreForget) && { restoreForget: null }),
  };
  if (moved.backup === null) return moved;
  const backup = {
    ...moved.backup,
    ...(answered.includes(ANNOTATION.backupNow) && { requested: null }),
    ...(answered.includes(ANNOTATION.proveNow) && { proofRequested: null }),
  };
  return { ...moved, backup };
}

const ABSENT: JobObservation = { kind: "absent" };

/** Only the Jobs of what is under way are looked at. */
function jobsAfter({ backups, jobs }: Observed, { running, proving }: BackupMemory): Observed["jobs"] {
  const before = backups.kind === "valid" ? backups.memory : null;
  const sameBackup = running?.slot === before?.running?.slot && running?.attempt === before?.running?.attempt;
  const was = before?.proving;
  const sameProof = proving?.slot === was?.slot && proving?.begunAt === was?.begunAt;
  return { ...jobs, backup: sameBackup ? jobs.backup : ABSENT, proof: sameProof ? jobs.proof : ABSENT };
}

function afterRecord(observed: Observed, step: RecordStep): Observed {
  const { state, conditions, history, phase, managedLabel, answered, replicas, partition, backups, restore } =
    step;
  const { set, wish } = observed;
  const gone = Object.fromEntries(answered.map((key) => [key, null]));
  const labels = { [LABEL.managed]: managedLabel ? "true" : null };
  return {
    ...observed,
    set: {
      ...changed(set, labels, { ...gone, [ANNOTATION.phase]: phase }),
      replicas: replicas ?? set.replicas,
      rollout: { ...set.rollout, partition: partition ?? set.rollout.partition },
    },
    wish: { ...wish, spec: wish.spec === null ? null : answeredSpec(wish.spec, answered) },
    state: state === null ? observed.state : { kind: "valid", state },
    backups: backups === null ? observed.backups : { kind: "valid", memory: backups },
    restore: restore === null ? observed.restore : { kind: "valid", memory: restore },
    jobs: {
      ...(backups === null ? observed.jobs : jobsAfter(observed, backups)),
      // What another phase or attempt has under way has Jobs of other names.
      ...(restore !== null && { restore: restoreJobs(set.name, restore).map(() => ABSENT) }),
    },
    conditions: decodeConditions(encodeConditions(conditions)),
    history,
  };
}

/** The snapshot as it would be once this step was carried out. */
export function afterStep(observed: Observed, step: Step, rules: EngineRules): Observed {
  switch (step.kind) {
    case "Record":
      return afterRecord(observed, step);
    case "EnsureAccounts": {
      const keys = ["control", ...step.ordinals.map((ordinal) => `replication-${ordinal}`)];
      return { ...observed, accounts: { kind: "found", uid: "uid-accounts", keys } };
    }
    case "LabelPod":
      return onMembers(observed, (member) =>
        member.pod?.name === step.pod
          ? { ...member, pod: changed(member.pod, step.labels, step.annotations) }
          : member,
      );
    case "DeletePod":
      return onMembers(observed, (member) =>
        member.pod?.name === step.name ? { ...member, pod: { ...member.pod, deleting: true } } : member,
      );
    case "AnnotateClaim":
      return onMembers(observed, (member) =>
        member.claim?.name === step.claim
          ? { ...member, claim: changed(member.claim, {}, step.annotations) }
          : member,
      );
    case "EnsureService": {
      const { name, selector } = step;
      const { ownerUid: _, ...meta } = observed.set;
      const service = { ...meta, name, ownerUid: observed.set.uid, selector };
      const services = { ...observed.services };
      services[step.role === "primary" ? "primary" : "replicas"] = { kind: "found", service };
      return { ...observed, services };
    }
    case "StartJob": {
      const { ownerUid: _, ...meta } = observed.set;
      const made = { ...meta, name: step.name, ownerUid: observed.set.uid };
      const job: JobObservation = {
        kind: "found",
        job: { ...made, result: "active", endedAtMs: null, failure: null },
      };
      const { jobs, set, restore } = observed;
      if (!isOfRestore(step.task)) return { ...observed, jobs: { ...jobs, [step.task.kind]: job } };
      const names = restore.kind === "valid" ? restoreJobs(set.name, restore.memory) : [];
      const now = jobs.restore.map((before, at) => (names[at] === step.name ? job : before));
      return { ...observed, jobs: { ...jobs, restore: now } };
    }
    default:
      return afterServerStep(observed, step, rules);
  }
}

function stream(observed: Observed, ordinal: number, source: number, rules: EngineRules): Channel {
  const from = observed.members.find((member) => member.ordinal === source);
  return {
    sourceHost: from?.host ?? "",
    sourceUuid: factsAt(observed, source)?.serverUuid ?? "",
    receiver: "on",
    applier: "on",
    account: rules.replicationAccount(ordinal),
    ...{ autoPosition: true, tls: true, silentMs: 0, sourceLeft: null, lockedOut: false, starved: false },
    ...{ receiverError: null, applierError: null },
  };
}

/** Who receives and acknowledges is counted by whom they receive from. */
function withClients(observed: Observed): Observed {
  const all = observed.members.flatMap(({ server }) => (server.kind === "read" ? [server.facts] : []));
  const clientsOf = (uuid: string) =>
    all.filter(
      ({ channel, acks }) => channel?.sourceUuid === uuid && channel.receiver === "on" && acks.active,
    ).length;
  return onMembers(observed, (member) =>
    member.server.kind === "read" ? onClients(member, clientsOf(member.server.facts.serverUuid)) : member,
  );
}

function onClients(member: Member, clients: number): Member {
  if (member.server.kind !== "read") return member;
  const { facts } = member.server;
  return { ...member, server: { ...member.server, facts: { ...facts, acks: { ...facts.acks, clients } } } };
}

function afterServerStep(observed: Observed, step: Step, rules: EngineRules): Observed {
  switch (step.kind) {
    case "Demote":
    case "Fence":
      return onFacts(observed, step.ordinal, (facts) => ({
        ...facts,
        ...{ readOnly: true, offline: step.kind === "Fence", acks: { ...facts.acks, waiters: 0 } },
      }));
    case "StopReceiving":
      return withClients(onFacts(observed, step.ordinal, (facts) => cut(facts, { receiver: "off" })));
    case "LockAccount":
      return step.locked
        ? withClients(
            onFacts(observed, step.ordinal, (facts) =>
              cut({ ...facts, executed: facts.received }, { receiver: "connecting", lockedOut: true }),
            ),
          )
        : observed;
    case "Promote":
      return onFacts(observed, step.ordinal, (facts) => ({
        ...facts,
        ...{ channel: null, executed: facts.received },
      }));
    case "Arm":
      return onFacts(observed, step.ordinal, (facts) => ({
        ...facts,
        acks: { ...facts.acks, required: step.ackCount > 0, count: step.ackCount },
      }));
    case "ArchiveTail": {
      const tail = factsAt(observed, step.ordinal);
      const epoch = observed.state.kind === "valid" ? observed.state.state.epoch : 0;
      if (tail === null) return observed;
      const kept = {
        epoch,
        serverUuid: tail.serverUuid,
        gtids: rules.positions.subtract(tail.executed, step.beyond),
      };
      return onFacts(observed, step.primary, (facts) => ({ ...facts, archived: [...facts.archived, kept] }));
    }
    case "Open":
      return onFacts(observed, step.ordinal, (facts) => ({
        ...facts,
        ...{ readOnly: false, offline: false },
        terms: [...facts.terms, termOf(observed, facts, step.epoch)],
      }));
    case "Acknowledge":
      return withClients(
        onFacts(observed, step.ordinal, (facts) => ({
          ...facts,
          acks: { ...facts.acks, given: step.on, active: step.on },
        })),
      );
    case "Follow": {
      const position = factsAt(observed, step.source)?.received ?? "";
      return withClients(
        onFacts(observed, step.ordinal, (facts) => ({
          ...facts,
          ...{ readOnly: true, offline: false, executed: position, received: position },
          channel: stream(observed, step.ordinal, step.source, rules),
          acks: { ...facts.acks, active: facts.acks.given },
        })),
      );
    }
    default:
      return observed;
  }
}

function cut(facts: ServerFacts, how: Partial<Channel>): ServerFacts {
  const { channel, acks } = facts;
  if (channel === null) return facts;
  return { ...facts, channel: { ...channel, ...how }, acks: { ...acks, active: false } };
}

function termOf(
  observed: Observed,
  { serverUuid, terms }: ServerFacts,
  epoch: number,
): ServerFacts["terms"][number] {
  const before = terms.find((term) => term.epoch === epoch)?.opened ?? 0;
  return { epoch, clusterUid: observed.set.uid, serverUuid, opened: before + 1 };
}
