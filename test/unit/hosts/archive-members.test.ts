/** Whose log is archived, and when a look at the primary counts. */
import { beforeEach, expect, test } from "vitest";
import { accountsSecretName, replicationKey } from "../../../shared/access/index.ts";
import { ANNOTATION, LABEL } from "../../../shared/annotations/keys.ts";
import { encodeState } from "../../../shared/annotations/state.ts";
import type { Tip } from "../../../shared/backup/archive/look.ts";
import { mysql } from "../../../shared/engines/mysql/index.ts";
import { type Asking, askPrimary, reachSource } from "../../../shared/hosts/archive/members.ts";
import type { PersistentVolumeClaim, Pod, StatefulSet } from "../../../shared/model/kube.ts";
import { fail, succeed } from "../../../shared/model/outcome.ts";
import type { State } from "../../../shared/model/state.ts";
import type { Kube } from "../../../shared/ports/kube.ts";
import { observed, steadyState, uuidOf } from "../../support/situation.ts";

let pods: Pod[];
let claims: PersistentVolumeClaim[];
/** As it is read, one time after the other; the last one stays. */
let states: State[];

function begin(replicas: number): StatefulSet {
  const { set, members } = observed(replicas);
  const all = members.map(({ ordinal, pod, claim }) => {
    if (pod === null || claim === null) throw new Error("members are whole to begin with");
    const role = ordinal === 0 ? "primary" : "replica";
    return {
      pod: {
        ...pod,
        ownerUid: set.uid,
        ip: `10.0.0.${ordinal}`,
        ready: true,
        labels: { [LABEL.role]: role },
      },
      claim: { ...claim, annotations: { [ANNOTATION.serverAuthority]: `PEM ${ordinal}` } },
    };
  });
  pods = all.map(({ pod }) => pod);
  claims = all.map(({ claim }) => claim);
  states = [steadyState(replicas)];
  return withState(set);
}

function withState(set: StatefulSet): StatefulSet {
  const [state] = states.length > 1 ? states.splice(0, 1) : states;
  if (state === undefined) throw new Error("there is always a state");
  return { ...set, annotations: { ...set.annotations, [ANNOTATION.state]: encodeState(state) } };
}

function asking(set: StatefulSet): Asking {
  const values = Object.fromEntries(
    [0, 1, 2].map((ordinal) => [replicationKey(ordinal), `secret ${ordinal}`]),
  );
  const read = (kind: string, { name }: { readonly name: string }) => {
    if (kind === "StatefulSet") return succeed(withState(set));
    return name === accountsSecretName(set)
      ? succeed({ ownerUid: set.uid, values })
      : fail("gone", `no ${kind} ${name}`);
  };
  const kube = {
    read: (kind: string, ref: { readonly name: string }) => Promise.resolve(read(kind, ref)),
    list: (kind: string) => Promise.resolve(succeed(kind === "Pod" ? pods : claims)),
  } as unknown as Kube;
  return { kube, engine: mysql, component: "test" };
}

let set: StatefulSet;
beforeEach(() => {
  set = begin(3);
});

const source = async () => {
  const way = await reachSource(asking(set), set);
  return way.ok ? [way.value.host, way.value.credentials.username, way.value.authority] : way.failure.message;
};

test("the last replica that is ready is read, by its own account and its pinned authority", async () => {
  expect(await source()).toEqual(["10.0.0.2", "ordinal_repl_2", "PEM 2"]);
  pods = pods.map((pod, ordinal) => ({ ...pod, ready: ordinal !== 2 }));
  expect(await source()).toEqual(["10.0.0.1", "ordinal_repl_1", "PEM 1"]);
});

test("nobody is read whose certificate is not known", async () => {
  claims = claims.map((claim, ordinal) => (ordinal === 2 ? { ...claim, annotations: {} } : claim));
  expect(await source()).toEqual(["10.0.0.1", "ordinal_repl_1", "PEM 1"]);
});

test("the primary is read where there is nobody else, and not beside replicas that are away", async () => {
  pods = pods.slice(0, 1);
  expect(await source()).toBe("no replica of mysql is ready and follows");
  set = begin(1);
  expect(await source()).toEqual(["10.0.0.0", "ordinal_repl_0", "PEM 0"]);
});

const tip = (serverUuid = uuidOf(0)): Tip => ({ serverUuid, position: `${serverUuid}:1-9`, atUs: 5 });
const asked = (answer: Tip) => askPrimary(asking(set), set, () => Promise.resolve(succeed(answer)));

test("what the primary says counts while it is recorded as the only one, before and after", async () => {
  expect(await asked(tip())).toEqual(succeed(tip()));
  expect((await asked(tip(uuidOf(1)))).ok, "another server").toBe(false);
  states = [steadyState(3), steadyState(3, { epoch: 2 })];
  expect((await asked(tip())).ok, "an epoch later").toBe(false);
  states = [steadyState(3), steadyState(3, { phase: "Revoking" })];
  expect((await asked(tip())).ok, "being taken from it").toBe(false);
});
