/**
 * What Ordinal relies on in a Kubernetes API, as cases that run against the simulated and the real one, so
 * that the simulated one stays honest. Cases share a namespace and keep apart by names and labels.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Kind, KubeKinds, ObjectRef } from "../../shared/model/kube.ts";
import type { FailureKind, Outcome } from "../../shared/model/outcome.ts";
import type { Kube, ListOptions, Watches } from "../../shared/ports/kube.ts";

type Json = { readonly [key: string]: unknown };

/** One API server with a namespace for us, and with everything beside the port that the cases need. */
export interface Subject {
  readonly kube: Kube;
  readonly watches: Watches;
  /** Lists again after every interruption, where `watches` takes up where it was. */
  readonly relistingWatches: Watches;
  readonly namespace: string;
  /** Somebody else changes an object: a merge patch without conditions. */
  change(kind: Kind, ref: ObjectRef, json: Json): Promise<void>;
  raw(kind: Kind, ref: ObjectRef): Promise<Json>;
  /** Between the cut and the mending no watch hears anything; the calls of `kube` are not cut off. */
  cut(): void;
  mend(): void;
  /** The set's controller makes its pod of ordinal 0, if it does not do so by itself. */
  startPod(set: KubeKinds["StatefulSet"]): void;
  /** Long enough for controllers to act on what they have seen. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

export function kubeContract(open: () => Promise<Subject>): void {
  let subject: Subject;
  beforeAll(async () => {
    subject = await open();
  });
  afterAll(async () => {
    await subject?.close();
  });
  const current = (): Subject => subject;
  describe("objects", () => objectCases(current));
  describe("conditions of a change", () => conditionCases(current));
  describe("secrets, services, events, sets", () => kindCases(current));
  describe("watches", () => watchCases(current));
}

function objectCases(subject: () => Subject): void {
  test("what was created can be read", async () => {
    const { kube, namespace } = subject();
    const ref = { namespace, name: "created" };
    const made = value(
      await kube.create("Secret", {
        ...ref,
        labels: { a: "1" },
        annotations: { "example.com/b": "2" },
        body: { stringData: { c: "3" } },
      }),
    );
    expect(made).toMatchObject({
      ...ref,
      labels: { a: "1" },
      values: { c: "3" },
      deleting: false,
      ownerUid: null,
    });
    expect(made.annotations).toEqual({ "example.com/b": "2" });
    expect(value(await kube.read("Secret", ref))).toEqual(made);
  });

  test("what does not exist is gone", async () => {
    const { kube, namespace } = subject();
    const ref = { namespace, name: "absent" };
    expect(failure(await kube.read("Pod", ref))).toBe("gone");
    expect(failure(await kube.patch("Pod", ref, { uid: "u", labels: { a: "1" } }))).toBe("gone");
    expect(value(await kube.remove("Pod", { ...ref, uid: "u" }))).toBeNull();
  });

  test("a name that exists is a conflict and stays as it is", async () => {
    const { kube, namespace } = subject();
    const made = await secret(subject(), "twice", {});
    const again = await kube.create("Secret", { namespace, name: "twice", labels: { a: "1" }, body: {} });
    expect(failure(again)).toBe("conflict");
    expect(value(await kube.read("Secret", made))).toEqual(made);
  });

  test("an owner is kept", async () => {
    const { kube, namespace } = subject();
    const { name, uid } = await secret(subject(), "owner", {});
    const owner = { apiVersion: "v1", kind: "Secret", name, uid };
    const made = value(await kube.create("Service", { namespace, name: "owned", owner, body: service({}) }));
    expect(made.ownerUid).toBe(uid);
  });

  test("a list holds every page and only what is labelled so", async () => {
    const { kube, namespace } = subject();
    const names = ["page-1", "page-2", "page-3", "page-4", "page-5"];
    for (const name of names) await secret(subject(), name, { paged: "yes", [name]: "" });
    await secret(subject(), "page-6", { paged: "no" });
    const listed = value(await kube.list("Secret", { namespace, labels: { paged: "yes" } }));
    expect(listed.map((each) => each.name)).toEqual(names);
    const one = value(await kube.list("Secret", { namespace, labels: { paged: "yes", "page-2": "" } }));
    expect(one.map((each) => each.name)).toEqual(["page-2"]);
    const everywhere = value(await kube.list("Secret", { labels: { paged: "no" } }));
    expect(everywhere.filter((each) => each.namespace === namespace)).toHaveLength(1);
    expect(value(await kube.list("Pod", { namespace, labels: { paged: "yes" } }))).toEqual([]);
  });

  test("removing takes the object with this uid, and can be repeated", async () => {
    const { kube } = subject();
    const made = await secret(subject(), "removed", {});
    expect(failure(await kube.remove("Secret", { ...made, uid: "another" }))).toBe("conflict");
    expect(value(await kube.read("Secret", made))).toEqual(made);
    expect(value(await kube.remove("Secret", made))).toBeNull();
    expect(failure(await kube.read("Secret", made))).toBe("gone");
    expect(value(await kube.remove("Secret", made))).toBeNull();
  });

  test("an object of the same name has another uid", async () => {
    const { kube } = subject();
    const first = await secret(subject(), "reborn", {});
    value(await kube.remove("Secret", first));
    const second = await secret(subject(), "reborn", {});
    expect(second.uid).not.toBe(first.uid);
    expect(failure(await kube.patch("Secret", second, { uid: first.uid, labels: { a: "1" } }))).toBe(
      "conflict",
    );
    expect(value(await kube.read("Secret", second))).toEqual(second);
  });
}

function conditionCases(subject: () => Subject): void {
  test("a patch sets and takes away the keys it names and no others", async () => {
    const { kube, change } = subject();
    const { uid, ...ref } = await secret(subject(), "patched", { mine: "1", old: "1" });
    await change("Secret", ref, { metadata: { labels: { theirs: "2" }, annotations: { theirs: "2" } } });
    const labels = { mine: "3", old: null, never: null, fresh: "4" };
    const patched = value(await kube.patch("Secret", ref, { uid, labels, annotations: { mine: "ü" } }));
    expect(patched.labels).toEqual({ mine: "3", fresh: "4", theirs: "2" });
    expect(patched.annotations).toEqual({ mine: "ü", theirs: "2" });
    expect(value(await kube.read("Secret", ref))).toEqual(patched);
  });

  test("a patch that changes nothing leaves the version", async () => {
    const { kube } = subject();
    const made = await secret(subject(), "unchanged", { a: "1" });
    const { uid, resourceVersion } = made;
    const patch = { uid, resourceVersion, labels: { a: "1", b: null } };
    expect(value(await kube.patch("Secret", made, patch))).toEqual(made);
  });

  test("a version that is not the present one is a conflict", async () => {
    const { kube } = subject();
    const { uid, resourceVersion, ...ref } = await secret(subject(), "compared", {});
    const swapped = value(await kube.patch("Secret", ref, { uid, resourceVersion, labels: { a: "1" } }));
    const late = await kube.patch("Secret", ref, { uid, resourceVersion, labels: { a: "2" } });
    expect(failure(late)).toBe("conflict");
    expect(value(await kube.read("Secret", ref))).toEqual(swapped);
  });

  test("of several swaps from the same version one wins", async () => {
    const { kube } = subject();
    const { uid, resourceVersion, ...ref } = await secret(subject(), "raced", {});
    const swaps = ["1", "2", "3", "4"].map((a) =>
      kube.patch("Secret", ref, { uid, resourceVersion, labels: { a } }),
    );
    const outcomes = await Promise.all(swaps);
    const losers = outcomes.filter((each) => !each.ok).map(failure);
    expect(losers).toEqual(["conflict", "conflict", "conflict"]);
  });

  test("another uid is a conflict, also with the right version", async () => {
    const { kube } = subject();
    const made = await secret(subject(), "other-uid", {});
    const { resourceVersion } = made;
    const patch = { uid: "f7cd28a1-0000-4000-8000-000000000000", labels: { a: "1" } };
    expect(failure(await kube.patch("Secret", made, patch))).toBe("conflict");
    expect(failure(await kube.patch("Secret", made, { ...patch, resourceVersion }))).toBe("conflict");
    expect(value(await kube.read("Secret", made))).toEqual(made);
  });
}

function kindCases(subject: () => Subject): void {
  test("a Secret's values come back as they were given", async () => {
    const { kube, namespace } = subject();
    const values = { plain: "abc", unicode: "pässwörd 密码 🔑\n", empty: "", symbols: "'\"\\$`" };
    const body = { type: "Opaque", stringData: values };
    const made = value(await kube.create("Secret", { namespace, name: "values", body }));
    expect(made.values).toEqual(values);
    const changes = { plain: null, empty: "ß", added: "1" };
    const patched = value(await kube.patch("Secret", made, { uid: made.uid, values: changes }));
    expect(patched.values).toEqual({
      unicode: values.unicode,
      symbols: values.symbols,
      empty: "ß",
      added: "1",
    });
  });

  test("a Service's selector is replaced whole, all else of the Service stays", async () => {
    const { kube, namespace, raw } = subject();
    const body = service({ app: "db", old: "1" });
    const labels = { keep: "1", drop: "1" };
    const made = value(await kube.create("Service", { namespace, name: "selected", labels, body }));
    expect(made.selector).toEqual({ app: "db", old: "1" });
    const before = await raw("Service", made);
    const { uid, resourceVersion } = made;
    const patch = { uid, resourceVersion, labels: { drop: null }, selector: { app: "db", fresh: "1" } };
    const patched = value(await kube.patch("Service", made, patch));
    expect(patched.selector).toEqual({ app: "db", fresh: "1" });
    expect(patched.labels).toEqual({ keep: "1" });
    expect(failure(await kube.patch("Service", made, { ...patch, selector: { a: "1" } }))).toBe("conflict");
    expect(failure(await kube.patch("Service", made, { uid: "u", selector: { a: "1" } }))).toBe("conflict");
    const after = await raw("Service", made);
    expect({ ...part(after, "spec"), selector: null }).toEqual({ ...part(before, "spec"), selector: null });
    expect(value(await kube.patch("Service", made, { uid, selector: {} })).selector).toEqual({});
  });

  test("an Event of the same name is a conflict", async () => {
    const { kube, namespace } = subject();
    const manifest = { namespace, name: "created.1", body: event(namespace) };
    const made = value(await kube.create("Event", manifest));
    expect(made).toMatchObject({ reason: "AdoptionStarted", note: "It began." });
    expect(failure(await kube.create("Event", manifest))).toBe("conflict");
    expect(value(await kube.list("Event", { namespace })).map((each) => each.name)).toContain("created.1");
  });

  test("annotating a StatefulSet changes nothing else of it and restarts no pod", async () => {
    const { kube, namespace, raw, startPod, settle } = subject();
    const ref = { namespace, name: "db" };
    const made = value(await kube.create("StatefulSet", { ...ref, body: statefulSet() }));
    expect(made).toMatchObject({ replicas: 1, serviceName: "db", matchLabels: { app: "db" } });
    expect(made).toMatchObject({ claimTemplates: [], generation: 1 });
    expect(made.containers).toEqual([{ name: "main", image: "example.com/none:1", ports: [3306] }]);
    startPod(made);
    const pod = { namespace, name: "db-0" };
    await until(async () => (await kube.read("Pod", pod)).ok);
    await settle();
    const podBefore = value(await kube.read("Pod", pod));
    const before = await raw("StatefulSet", ref);
    const annotations = { "ordinal.dev/state": '{"v":1}' };
    const patched = value(
      await kube.patch("StatefulSet", ref, {
        uid: made.uid,
        annotations,
        labels: { "ordinal.dev/managed": "true" },
      }),
    );
    expect(patched).toMatchObject({ generation: 1, annotations });
    await settle();
    const after = await raw("StatefulSet", ref);
    expect(part(after, "spec")).toEqual(part(before, "spec"));
    expect(part(after, "status")["updateRevision"]).toBe(part(before, "status")["updateRevision"]);
    expect(value(await kube.read("Pod", pod)).uid).toBe(podBefore.uid);
    expect(podBefore).toMatchObject({ ready: false, ownerUid: made.uid, phase: "Pending" });
  });
}

function watchCases(subject: () => Subject): void {
  afterEach(() => subject().mend());

  test("a watch shows what is there, then every change in order", async () => {
    const { kube, watches, namespace } = subject();
    const labels = { watched: "order" };
    const { uid, ...ref } = await secret(subject(), "watch-1", labels);
    const seen = record(watches, "Secret", { namespace, labels });
    await seen.synced;
    expect(seen.events).toEqual(["add watch-1"]);
    value(await kube.patch("Secret", ref, { uid, annotations: { a: "1" } }));
    await secret(subject(), "watch-2", labels);
    await secret(subject(), "watch-3", { watched: "not" });
    value(await kube.remove("Secret", { ...ref, uid }));
    await until(() => seen.events.length >= 4);
    seen.close();
    await secret(subject(), "watch-4", labels);
    await subject().settle();
    expect(seen.events).toEqual(["add watch-1", "update watch-1", "add watch-2", "delete watch-1"]);
  });

  test("an object that loses the label is deleted for the watch", async () => {
    const { kube, watches, namespace } = subject();
    const labels = { watched: "label" };
    const { uid, ...ref } = await secret(subject(), "leaving", labels);
    const seen = record(watches, "Secret", { namespace, labels });
    await seen.synced;
    value(await kube.patch("Secret", ref, { uid, labels: { watched: null } }));
    value(await kube.patch("Secret", ref, { uid, annotations: { unseen: "1" } }));
    value(await kube.patch("Secret", ref, { uid, labels }));
    await until(() => seen.events.length >= 3);
    seen.close();
    expect(seen.events).toEqual(["add leaving", "delete leaving", "add leaving"]);
  });

  test("a callback that throws does not end the watch", async () => {
    const { watches, namespace } = subject();
    const labels = { watched: "throwing" };
    const seen: string[] = [];
    const watch = watches.watch("Secret", { namespace, labels }, (_, { name }) => {
      seen.push(name);
      throw new Error("as a test");
    });
    await watch.synced;
    await secret(subject(), "throw-1", labels);
    await secret(subject(), "throw-2", labels);
    await until(() => seen.length >= 2);
    watch.close();
    expect(seen).toEqual(["throw-1", "throw-2"]);
  });

  const ways = [
    { way: "resumed", choose: (it: Subject) => it.watches },
    { way: "listed again", choose: (it: Subject) => it.relistingWatches },
  ];
  test.each(ways)("what happened during a cut is found when it is $way", async ({ way, choose }) => {
    const { kube, namespace, cut, mend, settle } = subject();
    const labels = { watched: way.replace(" ", "-") };
    const prefix = labels.watched;
    const kept = await secret(subject(), `${prefix}-kept`, labels);
    const lost = await secret(subject(), `${prefix}-lost`, labels);
    const same = await secret(subject(), `${prefix}-same`, labels);
    const seen = record(choose(subject()), "Secret", { namespace, labels });
    await seen.synced;
    await settle();
    const before = seen.events.length;
    cut();
    value(await kube.remove("Secret", lost));
    value(await kube.patch("Secret", kept, { uid: kept.uid, annotations: { a: "1" } }));
    await secret(subject(), `${prefix}-new`, labels);
    await settle();
    expect(seen.events).toHaveLength(before);
    mend();
    await until(() => seen.events.length >= before + 3);
    value(await kube.patch("Secret", same, { uid: same.uid, annotations: { a: "1" } }));
    await until(() => seen.events.length >= before + 4);
    seen.close();
    const [added, ...rest] = seen.events.slice(before).sort();
    expect(added).toBe(`add ${prefix}-new`);
    expect(rest).toEqual([`delete ${prefix}-lost`, `update ${prefix}-kept`, `update ${prefix}-same`]);
  });
}

function record<K extends Kind>(
  watches: Watches,
  kind: K,
  options: ListOptions,
): { readonly events: readonly string[]; readonly synced: Promise<void>; close(): void } {
  const events: string[] = [];
  const watch = watches.watch(kind, options, (type, { name }) => events.push(`${type} ${name}`));
  return { events, synced: watch.synced, close: watch.close };
}

async function secret(
  { kube, namespace }: Subject,
  name: string,
  labels: Readonly<Record<string, string>>,
): Promise<KubeKinds["Secret"]> {
  return value(await kube.create("Secret", { namespace, name, labels, body: {} }));
}

function service(selector: Json): Json {
  return { spec: { clusterIP: "None", ports: [{ name: "db", port: 3306 }], selector } };
}

function event(namespace: string): Json {
  return {
    eventTime: "2026-01-01T00:00:00.000000Z",
    type: "Normal",
    reason: "AdoptionStarted",
    action: "Reconcile",
    note: "It began.",
    reportingController: "ordinal.dev/test",
    reportingInstance: "test",
    regarding: { apiVersion: "apps/v1", kind: "StatefulSet", namespace, name: "db" },
  };
}

/** Its image does not exist: nothing here needs a pod that runs. */
function statefulSet(): Json {
  const containers = [{ name: "main", image: "example.com/none:1", ports: [{ containerPort: 3306 }] }];
  return {
    spec: {
      replicas: 1,
      serviceName: "db",
      minReadySeconds: 3,
      selector: { matchLabels: { app: "db" } },
      template: {
        metadata: { labels: { app: "db" }, annotations: { theirs: "1" } },
        spec: { terminationGracePeriodSeconds: 0, containers },
      },
    },
  };
}

function value<T>(outcome: Outcome<T>): T {
  if (!outcome.ok) throw new Error(`${outcome.failure.kind}: ${outcome.failure.message}`);
  return outcome.value;
}

function failure(outcome: Outcome<unknown>): FailureKind | null {
  return outcome.ok ? null : outcome.failure.kind;
}

function part(json: Json, key: string): Json {
  return (json[key] ?? {}) as Json;
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  await expect.poll(holds, { timeout: 20_000, interval: 20 }).toBe(true);
}
