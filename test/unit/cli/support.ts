/** A cluster as Kubernetes holds it, and a Kubernetes that only knows how to answer from a list. */
import { encodeConditions } from "../../../shared/annotations/conditions.ts";
import { encodeHistory } from "../../../shared/annotations/history.ts";
import { ANNOTATION, LABEL } from "../../../shared/annotations/keys.ts";
import { encodeMemberRecord } from "../../../shared/annotations/member.ts";
import { encodeState } from "../../../shared/annotations/state.ts";
import type { Reach, Terminal } from "../../../shared/cli/command-line.ts";
import { run } from "../../../shared/cli/program.ts";
import type { Progress } from "../../../shared/cli/progress.ts";
import type { ObjectRef, Pod, StatefulSet } from "../../../shared/model/kube.ts";
import type { MemberRecord } from "../../../shared/model/member.ts";
import { type Failure, fail, type Outcome, succeed } from "../../../shared/model/outcome.ts";
import type { Kube, ListOptions } from "../../../shared/ports/kube.ts";
import type { Servers } from "../../../shared/ports/server.ts";
import { condition, entry, setWith, state } from "../annotations/support.ts";

export const NOW = "2026-11-23T10:05:00.000Z";

export function set(name: string, more: Partial<StatefulSet> = {}): StatefulSet {
  return { ...setWith({}), name, uid: `uid-${name}`, matchLabels: { app: name }, ...more };
}

export function pod(
  owner: StatefulSet,
  ordinal: number,
  record?: Partial<MemberRecord>,
  more: Partial<Pod> = {},
): Pod {
  const full: MemberRecord = {
    role: "replica",
    note: "",
    serverUuid: `uuid-${ordinal}`,
    version: "9.7.4",
    at: "2026-11-23T10:00:00.000Z",
    acks: true,
    lagMs: 0,
    ...record,
  };
  return {
    ...setWith(record === undefined ? {} : { [ANNOTATION.member]: encodeMemberRecord(full) }),
    namespace: owner.namespace,
    name: `${owner.name}-${ordinal}`,
    uid: `pod-${ordinal}`,
    ownerUid: owner.uid,
    labels: { ...owner.matchLabels, [LABEL.managed]: "true" },
    ip: "10.0.0.1",
    phase: "Running",
    ready: true,
    containers: [],
    ...more,
  };
}

const asked = { [ANNOTATION.engine]: "mysql", [ANNOTATION.credentials]: "mysql-root" };

/** Three members, the second of them primary, everything in place. */
export const healthy: StatefulSet = set("mysql", {
  labels: { [LABEL.managed]: "true" },
  annotations: {
    ...asked,
    [ANNOTATION.phase]: "Healthy",
    [ANNOTATION.state]: encodeState({
      ...state,
      clusterUid: "uid-mysql",
      established: {
        primary: { ordinal: 1, serverUuid: "uuid-1" },
        ackers: [
          { ordinal: 0, serverUuid: "uuid-0" },
          { ordinal: 2, serverUuid: "uuid-2" },
        ],
        ackCount: 1,
      },
    }),
    [ANNOTATION.conditions]: encodeConditions([
      condition({ message: "3 of 3 members in place, primary mysql-1." }),
    ]),
    [ANNOTATION.history]: encodeHistory([
      entry({
        at: "2026-11-22T22:00:00.250Z",
        epoch: 6,
        reason: "AdoptionStarted",
        why: "mysql-0 is the primary: it is the only one with user data.",
        considered: ["mysql-0: schemas shop", "mysql-1: no user data"],
      }),
      entry({
        at: "2026-11-23T10:00:00.900Z",
        epoch: 7,
        reason: "MemberJoined",
        why: "mysql-2 follows mysql-1.",
      }),
    ]),
  },
});

export const healthyPods: readonly Pod[] = [
  pod(healthy, 0, { lagMs: 300 }),
  pod(healthy, 1, { role: "primary", acks: false, lagMs: null }),
  pod(healthy, 2, {}),
];

/** Annotated, and no pass has been here. */
export const unseen: StatefulSet = set("orders", {
  annotations: { ...asked, [ANNOTATION.maxLag]: "soon" },
  replicas: 1,
});

/** Adopting, with a member that is not there and one that cannot start. */
export const adopting: StatefulSet = set("crm", {
  namespace: "lab",
  labels: { [LABEL.managed]: "true" },
  annotations: {
    ...asked,
    [ANNOTATION.phase]: "Adopting",
    [ANNOTATION.state]: encodeState({
      ...state,
      clusterUid: "uid-crm",
      epoch: 1,
      phase: "Adopting",
      established: null,
      pending: { primary: { ordinal: 0, serverUuid: "uuid-0" }, ackers: [], ackCount: 1, open: false },
      op: {
        id: "adopt-1",
        kind: "adopt",
        step: "Prepare",
        startedAt: "2026-11-23T10:04:18.000Z",
        target: null,
      },
    }),
    [ANNOTATION.conditions]: encodeConditions([
      condition({ status: "False", reason: "Adopting", message: "1 of 3 members in place." }),
      condition({
        type: "NoSpareCopy",
        reason: "NoSpareCopy",
        message: "0 of the 1 replicas that each write needs acknowledge.",
        lastTransitionAt: "2026-11-23T10:04:50.000Z",
      }),
      condition({
        type: "MemberUnreachable",
        reason: "MemberUnreachable",
        message: "crm-2 does not answer: no pod.",
        lastTransitionAt: "2026-11-23T09:05:00.000Z",
      }),
    ]),
  },
});

export const adoptingPods: readonly Pod[] = [
  pod(adopting, 0, { role: "primary", acks: false, lagMs: null }),
  pod(adopting, 1, undefined, {
    ready: false,
    containers: [
      {
        name: "mysql",
        running: false,
        restartCount: 4,
        reason: "CrashLoopBackOff",
        exitCode: 1,
        ended: null,
      },
    ],
  }),
];

function matches(options: ListOptions, object: StatefulSet | Pod): boolean {
  const labels = Object.entries(options.labels ?? {});
  const here = options.namespace === undefined || options.namespace === object.namespace;
  return here && labels.every(([key, value]) => object.labels[key] === value);
}

export interface World {
  readonly sets: readonly StatefulSet[];
  readonly pods: readonly Pod[];
  readonly failure?: Failure;
  /** By the names of their Jobs. */
  readonly progress?: Readonly<Record<string, Progress>>;
}

/** Only what the plugin may use; anything else is an error. */
function fakeKube({ sets, pods, failure }: World): Kube {
  const refuse = () => Promise.reject(new Error("the plugin writes nothing"));
  const answer = <T>(outcome: Outcome<T>) =>
    Promise.resolve(failure ? { ok: false as const, failure } : outcome);
  const kube: Pick<Kube, "read" | "list"> = {
    read: (kind, ref) => {
      const found = sets.find((one) => one.namespace === ref.namespace && one.name === ref.name);
      const known = kind === "StatefulSet" && found !== undefined;
      return answer(known ? succeed(found as never) : fail("gone", `no ${kind} ${ref.name}`));
    },
    list: (kind, options) => {
      const all: readonly (StatefulSet | Pod)[] = kind === "StatefulSet" ? sets : pods;
      return answer(succeed(all.filter((one) => matches(options, one)) as never));
    },
  };
  return { ...kube, create: refuse, patch: refuse, remove: refuse };
}

export const WORLD: World = {
  sets: [healthy, unseen, adopting, set("web")],
  pods: [...healthyPods, pod(unseen, 0, undefined, { labels: unseen.matchLabels }), ...adoptingPods],
};

/** For verbs that look at no server. */
export const NO_SERVERS: Servers = {
  connect: () => Promise.reject(new Error("this verb looks at no server")),
};

const noExaminer = () => Promise.reject(new Error("this verb examines nothing"));

export const NOWHERE: Reach = {
  examiner: { may: noExaminer, template: noExaminer, isHeadless: noExaminer, budgets: noExaminer },
  servers: NO_SERVERS,
  openStore: () => {
    throw new Error("this verb looks at no store");
  },
  progressOf: () => null,
  lastProgress: () => Promise.resolve(null),
  showLog: () => Promise.reject(new Error("this verb shows no log")),
};

export interface Ran {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

/** A terminal without colours that keeps what is printed. */
export function paper(): {
  readonly printed: { out: string; err: string };
  readonly terminal: Pick<Terminal, "out" | "err" | "colour" | "version">;
} {
  const printed = { out: "", err: "" };
  const keep = (where: "out" | "err") => (text: string) => {
    printed[where] += text;
  };
  return { printed, terminal: { out: keep("out"), err: keep("err"), colour: false, version: "1.2.3" } };
}

/** Runs a command line as a person in Berlin would, on `world`. `endsEmpty`: the last word is empty. */
export async function ordinal(
  line: string,
  world: World = WORLD,
  colour = false,
  endsEmpty = false,
): Promise<Ran> {
  const { printed, terminal } = paper();
  let open = 0;
  const exitCode = await run([...line.split(" ").filter(Boolean), ...(endsEmpty ? [""] : [])], {
    ...terminal,
    colour,
    clock: { now: () => Date.parse(NOW), sleep: async () => {} },
    timeZone: "Europe/Berlin",
    connect: ({ kubeconfig }) => {
      if (kubeconfig === "broken") throw new Error("no such file");
      open += 1;
      const close = () => {
        open -= 1;
      };
      const lastProgress = ({ name }: ObjectRef) => Promise.resolve(world.progress?.[name] ?? null);
      return { ...NOWHERE, kube: fakeKube(world), namespace: "shop", lastProgress, close };
    },
  });
  if (open !== 0) throw new Error("a connection was left open");
  return { exitCode, ...printed };
}

/** What `--help` says of a command line's verb, without its examples. `restore undo` and `restore forget` are verbs of their own. */
export async function usageOf(line: string): Promise<string> {
  const [verb = ""] = line.match(/^(restore (undo|forget)|\S+)/) ?? [];
  return (await ordinal(`${verb} --help`)).out.split("\nExamples:\n")[0] ?? "";
}
