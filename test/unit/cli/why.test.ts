/** `kubectl ordinal why`: the exact text of the history. */
import { expect, test } from "vitest";
import { ordinal } from "./support.ts";

test("newest last, in local time, with the date of another day", async () => {
  expect(await ordinal("why mysql")).toEqual({
    exitCode: 0,
    err: "",
    out: `
2026-11-22 23:00:00.2  AdoptionStarted (epoch 6)   mysql-0 is the primary: it is the only one with user data.
                       considered: mysql-0: schemas shop · mysql-1: no user data
11:00:00.9             MemberJoined (epoch 6 → 7)  mysql-2 follows mysql-1.
`.trimStart(),
  });
});

test("nothing yet", async () => {
  expect((await ordinal("why orders")).out).toBe("Nothing has been decided about shop/orders yet.\n");
});
