/** What stands in the annotation that pins a server's authority: a certificate, or nothing that anybody trusts. */
import { expect, test } from "vitest";
import { tlsOptions } from "../../../shared/adapters/mysql/authority.ts";
import { openSession } from "../../../shared/adapters/mysql/session.ts";
import { HOSTILE } from "../../support/hostile.ts";

const PEM = (body: string) => `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`;

test("nothing is pinned on first use", () => {
  expect(tlsOptions(null)).toMatchObject({ minVersion: "TLSv1.2", rejectUnauthorized: false });
});

test("what is no certificate is not trusted, and does not throw", () => {
  for (const { value } of HOSTILE) {
    expect(tlsOptions(value)).toBeNull();
    expect(tlsOptions(PEM(value))).toBeNull();
    expect(tlsOptions(PEM(Buffer.from(value).toString("base64")))).toBeNull();
  }
});

test("with it nobody is connected to", async () => {
  const opened = await openSession({
    ...{ host: "192.0.2.1", port: 3306, credentials: { username: "root", password: "never-sent" } },
    ...{ authority: "no certificate", connectTimeoutMs: 60_000, queryTimeoutMs: 60_000, attributes: {} },
  });
  expect(opened).toMatchObject({ ok: false, failure: { kind: "refused" } });
  expect(opened.ok ? "" : opened.failure.message).toMatch(
    /192\.0\.2\.1: the recorded authority is no certificate/,
  );
});
