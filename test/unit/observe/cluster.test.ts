/** What may not be read of the user's is told to the user, and what may not be read of ours ends the pass. */
import { expect, test } from "vitest";
import type { StatefulSet } from "../../../shared/model/kube.ts";
import { fail, succeed } from "../../../shared/model/outcome.ts";
import { observeUserSecret, readSurroundings } from "../../../shared/observe/cluster.ts";
import type { Kube } from "../../../shared/ports/kube.ts";

const SET = { namespace: "shop", name: "mysql", matchLabels: {} } as StatefulSet;

/** An API server on which there is nothing, and which refuses to read one Secret. */
function kubeWithout(forbidden: string): Kube {
  const nobody = () => Promise.resolve(fail("gone", "not found", { code: 404 }));
  return {
    list: () => Promise.resolve(succeed([])),
    read: (_kind, { name }) =>
      Promise.resolve(
        name === forbidden
          ? fail("refused", "Forbidden", { code: 403 })
          : fail("gone", "not found", { code: 404 }),
      ),
    ...{ create: nobody, patch: nobody, remove: nobody },
  };
}

test("the user's Secret", async () => {
  const read = await readSurroundings(kubeWithout("mysql-root"), SET, "mysql-root");
  expect(read).toMatchObject({ ok: true, value: { user: "forbidden", accounts: null } });
  expect(observeUserSecret("forbidden")).toEqual({
    kind: "malformed",
    reason: "Ordinal may not read it; grant it get on that Secret",
  });
});

test("the Secret with Ordinal's own accounts", async () => {
  const read = await readSurroundings(kubeWithout("mysql-ordinal"), SET, "mysql-root");
  expect(read).toMatchObject({ ok: false, failure: { kind: "refused" } });
});
