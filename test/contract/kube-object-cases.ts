/** What holds for objects of every kind: creating, reading, listing, removing, and changing on conditions. */
import { expect, test } from "vitest";
import { failure, type Subject, secret, service, value } from "./kube-subject.ts";

export function objectCases(subject: () => Subject): void {
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
}

export function removalCases(subject: () => Subject): void {
  test("removing takes the object with this uid, and can be repeated", async () => {
    const { kube } = subject();
    const made = await secret(subject(), "removed", {});
    expect(failure(await kube.remove("Secret", { ...made, uid: "another" }))).toBe("conflict");
    expect(value(await kube.read("Secret", made))).toEqual(made);
    expect(failure(await kube.remove("Secret", { ...made, resourceVersion: "1" }))).toBe("conflict");
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

export function conditionCases(subject: () => Subject): void {
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
