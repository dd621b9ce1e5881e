/**
 * Carries out a decision on nothing: the steps run as they always do, over an API server and database servers that
 * only note down what they are told. What comes of it is shown to people, so it holds no secret: none is read, and
 * wherever a password has its place stands a made-up one, which is shown as `***`.
 */
import type { Contact } from "../access/index.ts";
import { encodeHistory } from "../annotations/history.ts";
import { ANNOTATION } from "../annotations/keys.ts";
import { withChanges } from "../model/changes.ts";
import type { Decision } from "../model/decision.ts";
import { subjectOf } from "../model/job-order.ts";
import type { Kind, StatefulSet } from "../model/kube.ts";
import type { Member, Observed } from "../model/observed.ts";
import { fail, type Outcome, succeed } from "../model/outcome.ts";
import type { ChangeOfObject, PlannedStep, Statement } from "../model/plan.ts";
import type { ServerFacts } from "../model/server.ts";
import type { Step, Track } from "../model/step.ts";
import type { Accounts, Engine } from "../ports/engine.ts";
import type { Kube, Manifest, Patch } from "../ports/kube.ts";
import type { ConnectOptions, Servers } from "../ports/server.ts";
import { Spares } from "./fence.ts";
import { describeStep, type Executing, type Intent, runStep } from "./index.ts";
import { Sessions, serversOf } from "./server-steps.ts";

/** Of the form that passwords have, and none: whatever holds it is not told as it is. */
const NO_PASSWORD = "ThisStandsInThePlaceOfAPassword0";
const MASK = "***";

export interface DryRun {
  readonly steps: readonly PlannedStep[];
  /** The snapshot as it would be then. */
  readonly observed: Observed;
  /** A step would not succeed as things are, so the rest of its track was left out. */
  readonly halted: boolean;
}

/** What a step makes of a snapshot. */
export type After = (observed: Observed, step: Step) => Observed;

/** What is known so far, and what the step under way was seen to do. */
interface World {
  observed: Observed;
  readonly statements: Statement[];
  readonly changes: ChangeOfObject[];
}

/** A server that nobody has read lets a step do all that it would do. */
const UNREAD: ServerFacts = {
  ...{ serverUuid: "", version: "", flavor: "", startedAtMs: 0, nowMs: 0, readOnly: false, offline: false },
  ...{ executed: "", received: "", purged: "", channel: null, applyingSinceMs: null, followers: 0 },
  ...{ logsKeptMs: null, deletesLogs: true, storedBytes: null },
  fullDiskMs: 0,
  acks: { required: false, count: 0, clients: 0, waiters: 0, waitingMs: 0, given: false, active: false },
  seeding: { kind: "none", bytes: 0, bytesExpected: 0, error: null },
  ...{ terms: [], archived: [], survey: null, settings: {} },
};

const PARTITION = "spec.updateStrategy.rollingUpdate.partition";

type Fields = ChangeOfObject["fields"];

/** Every leaf of a document by its path. */
function leaves(value: unknown, path: string): readonly (readonly [string, Fields[string]])[] {
  if (typeof value === "object" && value !== null) {
    return Object.entries(value).flatMap(([key, inner]) =>
      leaves(inner, path === "" ? key : `${path}.${key}`),
    );
  }
  const leaf = typeof value === "number" || value === null ? value : String(value);
  return [[path, leaf === NO_PASSWORD ? MASK : leaf]];
}

function differing(
  after: Patch["labels"] = {},
  before: Readonly<Record<string, string>>,
): Record<string, string | null> {
  return Object.fromEntries(Object.entries(after).filter(([key, value]) => (before[key] ?? null) !== value));
}

function fieldsOf(patch: Patch): Fields {
  const { labels, annotations, replicas, partition, selector, values } = patch;
  return Object.fromEntries([
    ...leaves(labels ?? {}, "metadata.labels"),
    ...leaves(annotations ?? {}, "metadata.annotations"),
    ...(replicas === undefined ? [] : [["spec.replicas", replicas] as const]),
    ...(partition === undefined ? [] : [[PARTITION, partition] as const]),
    ...leaves(selector ?? {}, "spec.selector"),
    ...leaves(values ?? {}, "stringData"),
  ]);
}

/** As an API server would answer to whoever has all rights and no competitor. */
function notingKube(world: World): Kube {
  const secret = (): Outcome<never> => {
    const { accounts } = world.observed;
    if (accounts.kind !== "found") return fail("gone", "it does not exist yet");
    const values = Object.fromEntries(accounts.keys.map((key) => [key, NO_PASSWORD]));
    return answer({ ...world.observed.set, uid: accounts.uid, values });
  };
  // What is answered is of the kind that was asked for; a generic port cannot say so of one function for all.
  const answer = (object: object): Outcome<never> => succeed(object as never);
  const note = (verb: ChangeOfObject["verb"], kind: Kind, name: string, fields: Fields) =>
    void world.changes.push({ verb, object: `${kind}/${name}`, fields });

  function patchSet(patch: Patch): Outcome<never> {
    const { set } = world.observed;
    const labels = differing(patch.labels, set.labels);
    const annotations = differing(patch.annotations, set.annotations);
    const replicas = patch.replicas === set.replicas ? undefined : patch.replicas;
    const fields = fieldsOf({
      uid: set.uid,
      labels,
      annotations,
      ...(replicas !== undefined && { replicas }),
      ...(patch.partition !== undefined && { partition: patch.partition }),
    });
    if (Object.keys(fields).length > 0) note("patch", "StatefulSet", set.name, fields);
    const changed: StatefulSet = {
      ...set,
      labels: withChanges(set.labels, labels),
      annotations: withChanges(set.annotations, annotations),
      replicas: replicas ?? set.replicas,
    };
    world.observed = { ...world.observed, set: changed };
    return answer(changed);
  }

  return {
    read: (kind) => Promise.resolve(kind === "Secret" ? secret() : answer(world.observed.set)),
    list: () => Promise.resolve(answer([])),
    create(kind, { name, labels, owner, body }: Manifest) {
      const metadata = { ...(labels && { labels }), ...(owner && { ownerReferences: [owner] }) };
      note("create", kind, name, Object.fromEntries(leaves({ metadata, ...body }, "")));
      return Promise.resolve(answer(world.observed.set));
    },
    patch(kind, { name }, patch) {
      if (kind === "StatefulSet") return Promise.resolve(patchSet(patch));
      note("patch", kind, name, fieldsOf(patch));
      return Promise.resolve(answer(world.observed.set));
    },
    remove(kind, { name }) {
      note("delete", kind, name, {});
      return Promise.resolve(succeed(null));
    },
  };
}

/** Members are reached by the names of their pods, so that a plan says which one is meant. */
function reachable(member: Member): Member {
  const { pod, podName } = member;
  return pod?.ip == null ? member : { ...member, pod: { ...pod, ip: podName } };
}

function factsOf({ observed }: World, podName: string): ServerFacts {
  const member = observed.members.find((one) => one.podName === podName);
  return member?.server.kind === "read" ? member.server.facts : UNREAD;
}

function learn(world: World, podName: string, facts: ServerFacts): void {
  const members = world.observed.members.map((member) =>
    member.podName === podName && member.server.kind === "read"
      ? { ...member, server: { ...member.server, facts } }
      : member,
  );
  world.observed = { ...world.observed, members };
}

function notingServers(engine: Engine, world: World): Servers {
  const connect = ({ host: server }: ConnectOptions) => {
    const told = (sql: string, facts: ServerFacts): void => {
      world.statements.push({ server, sql });
      learn(world, server, facts);
    };
    return Promise.resolve(succeed(engine.standIn(() => factsOf(world, server), NO_PASSWORD, told)));
  };
  return { connect };
}

function accountsOf({ accountNames }: Engine): Accounts {
  return {
    control: { username: accountNames.control, password: NO_PASSWORD },
    replication: (ordinal) => ({ username: accountNames.replication(ordinal), password: NO_PASSWORD }),
  };
}

/** Of the history only what is added: the rest stands already. */
function shown(step: Step, changes: readonly ChangeOfObject[], before: Observed): readonly ChangeOfObject[] {
  const field = `metadata.annotations.${ANNOTATION.history}`;
  if (step.kind !== "Record") return changes;
  const known = new Set(before.history.map((entry) => JSON.stringify(entry)));
  const added = step.history.filter((entry) => !known.has(JSON.stringify(entry)));
  return changes.map(({ fields, ...change }) => ({
    ...change,
    fields: field in fields ? { ...fields, [field]: encodeHistory(added) } : fields,
  }));
}

/** Clocks stand still in it: nothing is waited for. */
export async function dryRun(
  engine: Engine,
  start: Observed,
  decision: Decision,
  { nowMs, component, after }: { readonly nowMs: number; readonly component: string; readonly after: After },
): Promise<DryRun> {
  const world: World = { observed: start, statements: [], changes: [] };
  const steps: PlannedStep[] = [];
  const kube = notingKube(world);
  const spares = new Spares();
  const contact: Contact = {
    servers: notingServers(engine, world),
    engine,
    access: { user: accountsOf(engine).control, accounts: accountsOf(engine) },
    attributes: {},
    impatient: new Set(),
  };
  const executing: Executing = {
    ...{ kube, contact, spares, component },
    observed: { ...start, members: start.members.map(reachable) },
    clock: { now: () => nowMs, sleep: () => Promise.resolve() },
    ids: { password: () => NO_PASSWORD, fraction: () => 0 },
    log: { info() {}, warn() {} },
    // People are told what a Job is for; which image it runs says nothing about the cluster.
    jobs: (task) => ({ task: `${task.kind} of ${subjectOf(task)}` }),
  };
  const state = start.state.kind === "valid" ? start.state.state : null;
  const intent: Intent = { set: start.set, state, confirmed: null, telling: [] };

  const runTrack = async (track: Track): Promise<boolean> => {
    const sessions = new Sessions({ kube, contact, set: start.set }, spares);
    for (const step of track) {
      // It only looks, until what it looks for holds; and by then it does.
      const outcome =
        step.kind === "Confirm" ? succeed(null) : await runStep(executing, intent, sessions, step);
      const statements = world.statements.splice(0);
      const changes = [...shown(step, world.changes.splice(0), world.observed)];
      const pods = serversOf(step).map((ordinal) => `${start.set.name}-${ordinal}`);
      const where = [...new Set([...pods, ...changes.map(({ object }) => object)])];
      const hindered = outcome.ok ? null : outcome.failure.message;
      // A record that changes nothing is not written.
      if (where.length > 0) steps.push({ what: describeStep(step), where, statements, changes, hindered });
      if (!outcome.ok) return false;
      world.observed = after(world.observed, step);
    }
    await sessions.end(true);
    return true;
  };

  let whole = await runTrack(decision.prelude);
  if (whole) for (const track of decision.tracks) whole = (await runTrack(track)) && whole;
  if (whole) whole = await runTrack(decision.finale);
  return { steps, observed: world.observed, halted: !whole };
}
