/** What a new list is, compared with what was known. */
import { expect, test } from "vitest";
import { createKnownSet } from "../../../shared/adapters/kube/known-set.ts";
import type { ObjectMeta } from "../../../shared/model/kube.ts";

function object(name: string, uid: string, resourceVersion: string): ObjectMeta {
  const maps = { labels: {}, annotations: {} };
  return { namespace: "shop", name, uid, resourceVersion, ownerUid: null, deleting: false, ...maps };
}

function start(): {
  readonly events: string[];
  readonly known: ReturnType<typeof createKnownSet<ObjectMeta>>;
} {
  const events: string[] = [];
  const known = createKnownSet<ObjectMeta>((type, { uid, resourceVersion }) => {
    events.push(`${type} ${uid}@${resourceVersion}`);
  });
  return { events, known };
}

test("a new list comes out as the differences, deletions first", () => {
  const { events, known } = start();
  known.replace([object("a", "1", "1"), object("b", "2", "1"), object("c", "3", "1")]);
  events.length = 0;
  known.replace([object("a", "1", "1"), object("b", "2", "2"), object("c", "4", "3")]);
  expect(events).toEqual(["delete 3@1", "update 2@2", "add 4@3"]);
});

test("an object in its known version, and the deletion of an unknown one, are no news", () => {
  const { events, known } = start();
  known.present(object("a", "1", "1"));
  known.present(object("a", "1", "1"));
  known.absent(object("b", "2", "1"));
  known.present(object("a", "1", "2"));
  known.absent(object("a", "1", "3"));
  known.absent(object("a", "1", "3"));
  expect(events).toEqual(["add 1@1", "update 1@2", "delete 1@3"]);
});
