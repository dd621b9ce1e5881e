/** The Secret of a store: what is taken, and that what is not taken is named without being shown. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseStore } from "../../../shared/backup/store.ts";
import { newIdentity, newIdentityText } from "../../support/streams.ts";

const base = {
  endpoint: "https://s3.example.com:9000",
  region: "eu-central-1",
  bucket: "my-backups",
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
};

function messageOf(values: Readonly<Record<string, string>>): string {
  const parsed = parseStore("s3", values);
  return parsed.ok ? "taken" : `${parsed.failure.kind}: ${parsed.failure.message}`;
}

test("a whole Secret becomes a store", () => {
  const text = newIdentityText();
  const { recipient } = newIdentity(text);
  const other = newIdentity().recipient;
  const values = { prefix: "/prod/mysql/", ageRecipient: `${recipient},\n ${other}\n`, ageIdentity: text };
  const parsed = parseStore("s3", { ...base, ...values, checksum: "none" });
  expect(parsed).toEqual({
    ok: true,
    value: {
      name: "s3",
      endpoint: new URL("https://s3.example.com:9000"),
      region: "eu-central-1",
      bucket: "my-backups",
      prefix: "prod/mysql",
      key: { kind: "static", accessKeyId: base.accessKeyId, secretAccessKey: base.secretAccessKey },
      caBundle: null,
      checksum: "none",
      ageRecipients: [recipient, other],
      ageIdentity: text,
      allowInternal: false,
    },
  });
});

test("little is needed on Amazon: region, bucket and the pod's role", () => {
  const parsed = parseStore("s3", { region: "eu-west-3", bucket: "my-backups", iam: "true" });
  expect(parsed).toMatchObject({
    ok: true,
    value: { endpoint: new URL("https://s3.eu-west-3.amazonaws.com"), key: { kind: "iam" }, prefix: "" },
  });
});

const { accessKeyId: _, ...withoutKeyId } = base;
const secretText = "AGE-SECRET-KEY-1NOTREALLY";

test.each([
  ["a misspelt field", { ...base, bukket: "x" }, "has a field bukket that is not known"],
  ["no key", withoutKeyId, "needs either accessKeyId and secretAccessKey, or iam: true"],
  [
    "a key and a role",
    { ...base, iam: "true" },
    "needs either accessKeyId and secretAccessKey, or iam: true",
  ],
  ["no bucket", { ...base, bucket: "" }, "must have in bucket the name of a bucket"],
  ["a path for a bucket", { ...base, bucket: "a/../b" }, "must have in bucket"],
  ["an address for a bucket", { ...base, bucket: "10.0.0.1" }, "must have in bucket"],
  ["a prefix that leads out", { ...base, prefix: "a/../../b" }, "must have in prefix a path of letters"],
  ["a prefix with a query", { ...base, prefix: "a?b" }, "must have in prefix"],
  ["a prefix with an empty part", { ...base, prefix: "a//b" }, "must have in prefix"],
  ["no URL", { ...base, endpoint: "s3.example.com" }, "must have in endpoint a URL"],
  [
    "a URL with a path",
    { ...base, endpoint: "https://s3.example.com/x" },
    "nothing may stand behind its host",
  ],
  [
    "a URL with a query",
    { ...base, endpoint: "https://s3.example.com/?a=b" },
    "nothing may stand behind its host",
  ],
  ["a URL with a password", { ...base, endpoint: "https://a:b@s3.example.com" }, "no user may stand in it"],
  ["another scheme", { ...base, endpoint: "file:///etc/passwd" }, "it must begin with https"],
  ["something else than PEM", { ...base, caBundle: "MIIB" }, "must have in caBundle certificates in PEM"],
  ["a line break in the key", { ...base, secretAccessKey: "a\nb" }, "must have in secretAccessKey"],
  ["a recipient that is none", { ...base, ageRecipient: "age1abc" }, "must have in ageRecipient"],
  ["an empty list of recipients", { ...base, ageRecipient: " ,\n" }, "must have in ageRecipient"],
  [
    "an identity that is none",
    { ...base, ageIdentity: secretText },
    "must have in ageIdentity a private key",
  ],
  [
    "an identity of somebody else",
    { ...base, ageRecipient: newIdentity().recipient, ageIdentity: newIdentityText() },
    "must have in ageRecipient the public key of its ageIdentity",
  ],
  ["a flag that is none", { ...base, allowInternal: "yes" }, "must have in allowInternal true or false"],
])("%s is refused", (_name, values, expected) => {
  expect(messageOf(values)).toMatch(/^refused: The Secret s3 of the backup store .*\.$/s);
  expect(messageOf(values)).toContain(expected);
});

test("no message holds a value", () => {
  const values = Object.fromEntries(
    Object.keys({
      ...base,
      caBundle: "",
      ageRecipient: "",
      ageIdentity: "",
      prefix: "",
      iam: "",
      checksum: "",
    }).map((field) => [field, `\u0000s3cr3t-${field}`]),
  );
  for (const field of Object.keys(values)) {
    const message = messageOf({ ...base, [field]: values[field] ?? "" });
    expect(message).not.toBe("taken");
    expect(message).not.toContain("s3cr3t");
  }
  expect(messageOf({ ...base, "s3cr3t value of a key": "x" })).not.toContain("s3cr3t");
});

test("backup-stores.md has one row for each field", () => {
  const known = /known are (.*)\.$/.exec(messageOf({ ...base, bukket: "x" }))?.[1]?.split(", ") ?? [];
  const page = readFileSync(new URL("../../../docs/backup-stores.md", import.meta.url), "utf8");
  const [, table = ""] = page.split("\n## The Secret\n");
  const rows = [...(table.split("\n## ")[0] ?? "").matchAll(/^\| `(\w+)` /gm)].map(([, field]) => field);
  expect(known.length).toBeGreaterThan(10);
  expect(rows).toEqual(known);
});

test("an endpoint within a network needs the store's word, and a cloud's metadata is no store", () => {
  const inside = { ...base, endpoint: "http://minio.storage.svc:9000" };
  expect(messageOf(inside)).toContain("must have another endpoint: it must begin with https");
  expect(messageOf({ ...inside, allowInternal: "true" })).toBe("taken");
  const metadata = { ...base, endpoint: "https://169.254.169.254", allowInternal: "true" };
  expect(messageOf(metadata)).toContain("where clouds keep their metadata");
});
