/** What shows who we are: to AWS and EKS by Signature Version 4, to our own functions by an HMAC. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { eksToken, presign } from "../../../shared/hosts/lambda/eks-token.ts";
import { readSettings, settingsSchema } from "../../../shared/hosts/lambda/settings.ts";
import { SIGNATURE_HEADER, sign, whyNotSigned } from "../../../shared/hosts/signature.ts";
import { IDENTITY, whyNoIdentity } from "../../support/eks-gate.ts";

test("an address is signed as in the example of AWS's documentation", () => {
  const url = presign({
    credentials: { ...IDENTITY, sessionToken: null },
    ...{ region: "us-east-1", service: "s3", host: "examplebucket.s3.amazonaws.com", path: "/test.txt" },
    ...{ query: {}, headers: {}, payloadHash: "UNSIGNED-PAYLOAD", expiresSeconds: 86_400 },
    now: new Date("2013-05-24T00:00:00Z"),
  });
  expect(new URL(url).searchParams.get("X-Amz-Signature")).toBe(
    "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
  );
});

test("a token of EKS names its cluster, and is taken for a quarter of an hour", () => {
  const now = new Date("2026-11-28T09:00:00.789Z");
  const token = eksToken(IDENTITY, { region: "eu-central-1", cluster: "shop", now });
  const url = new URL(Buffer.from(token.replace("k8s-aws-v1.", ""), "base64url").toString("utf8"));
  expect(url.host).toBe("sts.eu-central-1.amazonaws.com");
  expect(Object.fromEntries(url.searchParams)).toMatchObject({
    Action: "GetCallerIdentity",
    "X-Amz-SignedHeaders": "host;x-k8s-aws-id",
    "X-Amz-Expires": "60",
    "X-Amz-Security-Token": IDENTITY.sessionToken,
  });
  expect(token).not.toContain("=");
  const at = (ms: number) => whyNoIdentity(`Bearer ${token}`, now.getTime() + ms);
  expect([at(0), at(14 * 60_000), at(16 * 60_000)]).toEqual([null, null, "too old"]);
  const other = eksToken(IDENTITY, { region: "eu-central-1", cluster: "warehouse", now });
  expect(whyNoIdentity(`Bearer ${other}`, now.getTime())).toBe("another signature");
});

const SECRET = "0123456789abcdef0123456789abcdef";
const NOW_MS = Date.parse("2026-11-28T09:00:00Z");
const message = {
  path: "/events/pod-failure",
  headers: { "content-type": "application/json", "ce-type": "t", "ce-id": "1" },
  body: '{"kind":"Pod"}',
};
const signed = {
  ...message,
  headers: { ...message.headers, [SIGNATURE_HEADER]: sign(SECRET, message, NOW_MS) },
};

test("a signed event is known on whichever way it came, for a minute", () => {
  expect(whyNotSigned(SECRET, signed, NOW_MS)).toBeNull();
  const headers = Object.fromEntries(
    Object.entries(signed.headers).map(([name, value]) => [name.toUpperCase(), value]),
  );
  expect(whyNotSigned(SECRET, { ...signed, headers }, NOW_MS + 59_000)).toBeNull();
  expect(whyNotSigned(SECRET, signed, NOW_MS + 61_000)).toContain("older than 60 s");
  expect(whyNotSigned(SECRET, signed, NOW_MS - 61_000)).toContain("from the future");
});

test.each<[string, typeof signed]>([
  ["the body", { ...signed, body: '{"kind":"Job"}' }],
  ["the path", { ...signed, path: "/events/sweep" }],
  ["an attribute", { ...signed, headers: { ...signed.headers, "ce-type": "u" } }],
  ["a further attribute", { ...signed, headers: { ...signed.headers, "ce-more": "1" } as never }],
  ["the media type", { ...signed, headers: { ...signed.headers, "content-type": "text/plain" } }],
  [
    "the instant",
    {
      ...signed,
      headers: {
        ...signed.headers,
        [SIGNATURE_HEADER]: (signed.headers[SIGNATURE_HEADER] ?? "").replace(
          /^t=\d+/,
          `t=${NOW_MS / 1000 + 1}`,
        ),
      },
    },
  ],
])("a signature is of %s too", (_, changed) => {
  expect(whyNotSigned(SECRET, changed, NOW_MS)).toContain("does not match");
});

test("neither another secret nor none is taken", () => {
  expect(whyNotSigned(`${SECRET}!`, signed, NOW_MS)).toContain("does not match");
  expect(whyNotSigned(SECRET, message, NOW_MS)).toContain("is not signed");
});

test("each setting is explained in docs/lambda.md", () => {
  const page = readFileSync(join(import.meta.dirname, "../../../docs/lambda.md"), "utf8");
  const ours = Object.keys(settingsSchema.shape).filter((name) => name.startsWith("ORDINAL_"));
  const explained = [...page.matchAll(/^\| `(ORDINAL_[A-Z_]+)`/gm)].map(([, name]) => name);
  expect(explained.sort()).toEqual(ours.sort());
});

test("settings that are wrong are named, and none of their values is told", () => {
  const given = { AWS_SECRET_ACCESS_KEY: "hush", ORDINAL_FORWARD_SECRET: "short", AWS_REGION: "../x" };
  const read = () => readSettings(given);
  expect(read).toThrow(/ORDINAL_CLUSTER_ENDPOINT.*ORDINAL_FORWARD_SECRET/);
  expect(read).not.toThrow(/hush|short|\.\.\/x/);
});
