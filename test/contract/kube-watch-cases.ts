/** What a watch shows, and that nothing is lost in a gap. */
import { afterEach, expect, test } from "vitest";
import type { Kind } from "../../shared/model/kube.ts";
import type { ListOptions, Watches } from "../../shared/ports/kube.ts";
import { type Subject, secret, until, value } from "./kube-subject.ts";

export function watchCases(subject: () => Subject): void {
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
    value(await kube.remove("Secret", { namespace, name: ref.name, uid }));
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
}

export function cutCases(subject: () => Subject): void {
  afterEach(() => subject().mend());

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
