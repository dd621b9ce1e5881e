/** What Ordinal relies on in single kinds. */
import { expect, test } from "vitest";
import { failure, type Json, part, type Subject, service, until, value } from "./kube-subject.ts";

export function kindCases(subject: () => Subject): void {
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

  test("a Job runs until it is said how it ended, is found by its labels, and is made once", async () => {
    const { kube, namespace } = subject();
    const ref = { namespace, name: "backup-1" };
    expect(failure(await kube.read("Job", ref))).toBe("gone");
    const owner = value(await kube.create("Secret", { namespace, name: "owner-of-job", body: {} }));
    const made = value(
      await kube.create("Job", {
        ...ref,
        labels: { jobs: "1" },
        owner: { apiVersion: "v1", kind: "Secret", name: owner.name, uid: owner.uid },
        body: suspendedJob(),
      }),
    );
    expect(made).toMatchObject({
      ...ref,
      ownerUid: owner.uid,
      result: "active",
      endedAtMs: null,
      failure: null,
    });
    expect(failure(await kube.create("Job", { ...ref, body: suspendedJob() }))).toBe("conflict");
    const listed = value(await kube.list("Job", { namespace, labels: { jobs: "1" } }));
    expect(listed.map(({ uid }) => uid)).toEqual([made.uid]);
    const { uid } = made;
    expect(failure(await kube.remove("Job", { ...ref, uid: "another" }))).toBe("conflict");
    expect(value(await kube.remove("Job", { ...ref, uid }))).toBeNull();
    await until(async () => failure(await kube.read("Job", ref)) === "gone");
    expect(value(await kube.remove("Job", { ...ref, uid }))).toBeNull();
  });

  test("an Event of the same name is a conflict", async () => {
    const { kube, namespace } = subject();
    const manifest = { namespace, name: "created.1", body: event(namespace) };
    const made = value(await kube.create("Event", manifest));
    expect(made).toMatchObject({ reason: "AdoptionStarted", note: "It began." });
    expect(failure(await kube.create("Event", manifest))).toBe("conflict");
    expect(value(await kube.list("Event", { namespace })).map((each) => each.name)).toContain("created.1");
  });
}

export function setCases(subject: () => Subject): void {
  test("annotating a StatefulSet changes nothing else of it and restarts no pod", async () => {
    const { kube, namespace, raw, startPod, settle } = subject();
    const ref = { namespace, name: "db" };
    const made = value(await kube.create("StatefulSet", { ...ref, body: statefulSet() }));
    expect(made).toMatchObject({ replicas: 1, serviceName: "db", matchLabels: { app: "db" } });
    expect(made).toMatchObject({ claimTemplates: [], generation: 1 });
    expect(made.containers).toEqual([
      { name: "main", image: "example.com/none:1", ports: [3306], mounts: [] },
    ]);
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

/** It waits, so that no pod is made for it. */
function suspendedJob(): Json {
  const containers = [{ name: "main", image: "example.com/none:1" }];
  return { spec: { suspend: true, template: { spec: { restartPolicy: "Never", containers } } } };
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
