/** Where a store may be: every spelling of what is inside is caught, and nothing of what is outside. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addressProblem, endpointProblem } from "../../../shared/model/endpoint.ts";
import { HOSTILE, isPlainSentence } from "../../support/hostile.ts";
import { INTERNAL, NEVER, PUBLIC, UNREADABLE } from "../../support/hostile-endpoints.ts";

/** As a store's Secret is read: null = it may be used. */
function judge(text: string, allowInternal: boolean): string | null {
  const url = URL.parse(text);
  return url === null ? "no URL" : endpointProblem(url, allowInternal);
}

describe("an endpoint", () => {
  test.each(NEVER)("never: %s", (text) => {
    for (const allowInternal of [false, true]) {
      const reason = judge(text, allowInternal);
      expect(reason).toMatch(/^[\x21-\x7e][\x20-\x7e]{8,300}$/);
      expect(reason).not.toContain("allowInternal");
    }
  });

  test.each(INTERNAL)("internal: %s", (text) => {
    expect(judge(text, false)).toMatch(/needs allowInternal: "true"$/);
    expect(judge(text, true)).toBeNull();
  });

  test.each(UNREADABLE)("no URL: %s", (text) => {
    expect(judge(text, true)).toBe("no URL");
  });

  test.each(PUBLIC)("public: %s", (text) => {
    expect([judge(text, false), judge(text, true)]).toEqual([null, null]);
  });

  test("nothing hostile comes through as a host, a path or a port, or into the reason", () => {
    for (const { value } of HOSTILE) {
      for (const text of [
        value,
        `https://${value}`,
        `https://s3.example.com/${value}`,
        `https://s3.example.com:${value}`,
      ]) {
        const url = URL.parse(text);
        const reason = url === null ? null : endpointProblem(url, false);
        if (reason === null && url !== null) expect(url.host).toMatch(/^[-a-z0-9.]+(?::\d+)?$/);
        else expect(isPlainSentence(reason ?? "", 320)).toBe(true);
      }
    }
  });
});

describe("an address that a connection goes to", () => {
  test.each([
    ["10.0.0.1", "private"],
    ["169.254.169.254", "metadata"],
    ["::ffff:10.0.0.1", "private"],
    ["fe80::1%eth0", "link-local"],
    ["fd00:ec2::254", "metadata"],
    ["::1", "loopback"],
    ["0:0:0:0:0:ffff:7f00:0001", "loopback"],
    ["2002:a00:1::1", "private"],
  ])("%s", (address, what) => {
    expect(addressProblem(address, false)).toContain(what);
  });

  test.each(["8.8.8.8", "2606:4700::1111", "2A00:1450:4001:0::1", "::ffff:8.8.8.8"])(
    "%s may be",
    (address) => {
      expect(addressProblem(address, false)).toBeNull();
    },
  );

  test.each([
    "",
    "localhost",
    "256.0.0.1",
    "1.2.3",
    "::g",
    "1:2:3",
    "[::1]",
    "10.0.0.1 ",
    "::1/128",
    "0x7f000001",
  ])("%j is none", (address) => {
    expect(addressProblem(address, true)).toBe("it leads to what is no address");
  });

  test("all of private IPv4 is caught, bare and in every carrier, and its neighbours are not", () => {
    const octet = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(octet, octet, octet, octet, (a, b, c, d) => {
        const isPrivate =
          a === 10 ||
          a === 127 ||
          (a === 172 && b >= 16 && b <= 31) ||
          (a === 192 && b === 168) ||
          (a === 100 && b >= 64 && b <= 127);
        const text = [a, b, c, d].join(".");
        const plain = addressProblem(text, false);
        if (isPrivate) expect(plain).not.toBeNull();
        const hex = ((a * 256 + b) * 65_536 + c * 256 + d).toString(16).padStart(8, "0");
        const carried = [
          `::ffff:${text}`,
          `64:ff9b::${text}`,
          `::ffff:0:${text}`,
          `2002:${hex.slice(0, 4)}:${hex.slice(4)}::1`,
        ];
        for (const one of carried) expect(addressProblem(one, false) === null, one).toBe(plain === null);
        expect(endpointProblem(new URL(`https://${Number.parseInt(hex, 16)}`), false) === null).toBe(
          plain === null,
        );
      }),
      { numRuns: 2_000 },
    );
  });
});
