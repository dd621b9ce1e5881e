/** A secret that was planted is found, in whatever form and place; else a search that finds none would say nothing. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { auditedRequests, findSecrets, secretsIn, watchArguments } from "../../support/secret-search.ts";

const VALUE = 'pläne/+"7f? x';
const SECRETS = [{ name: "password of Secret mysql-root", value: VALUE }];
const encoded = Buffer.from(VALUE).toString("base64");

test.each([
  ["as it is", `password=${VALUE} `],
  ["in JSON", JSON.stringify({ why: `denied with ${VALUE}` })],
  ["in a URL", `mysql://root:${encodeURIComponent(VALUE)}@mysql-0`],
  ["in a Secret's form", `{"data":{"password":"${encoded}"}}`],
  ["behind a name, in base64", Buffer.from(`root:${VALUE}`).toString("base64")],
  ["behind another name, in base64", Buffer.from(`admin:${VALUE}:x`).toString("base64")],
  ["behind a third, in base64 for URLs", Buffer.from(`ro:${VALUE}`).toString("base64url")],
  ["in hexadecimal", Buffer.from(VALUE).toString("hex")],
])("planted %s, it is found, and the finding does not tell it", (_, text) => {
  const found = findSecrets(SECRETS, [{ where: "the log", text: `before ${text} after` }]);
  expect(found).toEqual(["password of Secret mysql-root stands in the log"]);
});

test("nothing is found where nothing is, and nothing is looked for that would be found by chance", () => {
  expect(findSecrets(SECRETS, [{ where: "the log", text: "pläne 7f" }])).toEqual([]);
  expect(findSecrets([{ name: "username", value: "root" }], [{ where: "the log", text: "root" }])).toEqual(
    [],
  );
});

test("each value of each Secret of a list is a secret", () => {
  const items = [
    { metadata: { name: "mysql-root" }, data: { password: encoded } },
    { metadata: { name: "empty" } },
  ];
  expect(secretsIn(JSON.stringify({ items }))).toEqual(SECRETS);
});

test("planted in the arguments of a process, it is found", async () => {
  const watch = watchArguments();
  const child = spawn(process.execPath, ["--eval", "setTimeout(() => {}, 60000)", "planted-in-argv"]);
  try {
    await delay(500);
    const found = findSecrets([{ name: "it", value: "planted-in-argv" }], watch.stop());
    expect(found).toEqual([expect.stringContaining("it stands in the arguments of")]);
  } finally {
    child.kill("SIGKILL");
  }
});

test("planted in what was sent to the API server, it is found, but for Secrets and for others", async () => {
  const folder = mkdtempSync(join(tmpdir(), "ordinal-audit-"));
  const path = join(folder, "audit.log");
  const line = (userAgent: string, resource: string, namespace: string) =>
    `${JSON.stringify({ userAgent, objectRef: { resource, namespace }, requestObject: { note: "planted-in-body" } })}\n`;
  writeFileSync(
    path,
    line("ordinal/local", "secrets", "shop") +
      line("kubectl/1", "events", "shop") +
      line("ordinal/local", "events", "crm") +
      line("ordinal/local", "events", "shop"),
  );
  try {
    const found = findSecrets(
      [{ name: "it", value: "planted-in-body" }],
      await auditedRequests(path, "shop"),
    );
    expect(found).toEqual(["it stands in a request for events"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
