/** What has broken parsers, routers and headers before: each is refused by its name, and nothing is recorded. */
import { describe, expect, test } from "vitest";
import { isName, MALFORMED } from "../../support/hostile.ts";
import { CLUSTER, openPlace } from "./support.ts";

const KIB = 1024;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function refused(
  target: string,
  sending: Parameters<ReturnType<typeof openPlace>["send"]>[2],
  status: number,
) {
  const place = openPlace();
  const before = place.set();
  const reply = await place.send("POST", target, sending);
  expect(reply.status, reply.text).toBe(status);
  expect(reply.text.length).toBeLessThan(500);
  expect(reply.text.trimEnd()).not.toMatch(/[\p{C}\u2028\u2029]/u);
  for (const value of Object.values(reply.headers)) expect(value).toMatch(/^[\x20-\x7e]*$/);
  expect(place.set()).toBe(before);
}

describe("bodies", () => {
  test.each<[string, unknown, number]>([
    ["65 KiB of spaces", `{"replicas":5}${" ".repeat(65 * KIB)}`, 413],
    ["one byte too many", " ".repeat(64 * KIB + 1), 413],
    ["64 KiB that are no JSON", " ".repeat(64 * KIB), 400],
    ["a value of 200 KiB", { to: "x".repeat(200 * KIB) }, 413],
    ["a value of 60 KiB", { to: "x".repeat(60 * KIB) }, 400],
    ["a key of 60 KiB", { ["k".repeat(60 * KIB)]: 1 }, 400],
    ["brackets 30,000 deep", "[".repeat(30_000), 400],
    ["objects 9 deep", `${'{"a":'.repeat(9)}1${"}".repeat(9)}`, 400],
    ["a prototype", '{"replicas":5,"__proto__":{"replicas":9}}', 400],
    ["an escaped prototype", '{"replicas":5,"\\u005f_proto__":{}}', 400],
    ["a constructor", '{"replicas":5,"constructor":{"prototype":{}}}', 400],
    ["a key twice", '{"replicas":5,"replicas":99}', 400],
    ["a key twice, once escaped", '{"replicas":5,"re\\u0070licas":99}', 400],
    ["a key twice, further in", '{"a":[{"b":1},{"b":1,"c":"}{","b":2}]}', 400],
    ["a number as text", '{"replicas":"5"}', 400],
    ["a number beyond numbers", '{"replicas":1e999}', 400],
    ["a negative zero", '{"replicas":-0}', 400],
    ["an Arabic digit", '{"replicas":٥}', 400],
    ["a list", "[5]", 400],
    ["null", "null", 400],
    ["two values", '{"replicas":5}{"replicas":6}', 400],
    ["a comment", '{"replicas":5/**/}', 400],
    ["a byte order mark", bytes('\uFEFF{"replicas":5}'), 400],
    ["half a character", new Uint8Array([0x7b, 0x22, 0xc3, 0x22, 0x7d]), 400],
    ["UTF-16", new Uint8Array(Buffer.from('{"replicas":5}', "utf16le")), 400],
  ])("%s", (_, body, status) => refused(`${CLUSTER}/scale`, { body }, status));

  test("a key twice in two objects is no doubled key, nor is one in a text", async () => {
    const reply = await openPlace().send("POST", `${CLUSTER}/scale`, {
      body: '{"a":{"b":"\\"b\\":1"},"c":{"b":"{\\"c\\":"}}',
    });
    expect(reply.body["detail"]).toMatch("replicas: Invalid input");
  });

  test.each(
    MALFORMED.filter((value) => !isName(value)).map((value) => [JSON.stringify(value).slice(0, 40), value]),
  )("a pod named %s", async (_, to) => {
    const isLarge = bytes(JSON.stringify({ to })).length > 64 * KIB;
    await refused(`${CLUSTER}/switchover`, { body: { to } }, isLarge ? 413 : 400);
  });
});

describe("paths", () => {
  test.each<[string, number]>([
    ["/clusters/../mysql/scale", 400],
    ["/clusters/shop/../scale", 400],
    ["/clusters/shop/%2e%2e/scale", 400],
    ["/clusters/shop%2Fmysql/x/scale", 400],
    ["/clusters/shop/my%2Fsql/scale", 400],
    ["/clusters/shop/%6Dysql/scale", 400],
    ["/clusters/shop/mysql%00/scale", 400],
    ["/clusters/shop/mysql%zz/scale", 400],
    ["/clusters/shop/MySQL/scale", 400],
    ["/clusters/shop/my sql/scale", 400],
    ["/clusters/shop/mysql\\..\\x/scale", 400],
    ["/clusters/shop/ｍysql/scale", 400],
    ["/clusters/shop//scale", 400],
    ["/clusters//mysql/scale", 400],
    [`/clusters/shop/${"m".repeat(254)}/scale`, 400],
    [`/clusters/${"s".repeat(64)}/mysql/scale`, 400],
    ["/clusters/__proto__/constructor/scale", 400],
    ["/clusters/shop/a/b/mysql/scale", 404],
    ["//clusters/shop/mysql/scale", 404],
    ["/clusters/shop/mysql/scale/", 404],
    ["/CLUSTERS/shop/mysql/scale", 404],
    ["/clusters/shop/mysql/scale#x", 404],
    ["/clusters/shop/mysql/scale;x=1", 404],
    ["http://x/clusters/shop/mysql/scale", 404],
    ["*", 404],
    ["", 404],
  ])("%s", (target, status) => refused(target, { body: { replicas: 5 } }, status));
});

describe("ids and headers", () => {
  test.each([
    "scale-00000000%0d%0aSet-Cookie:a=b",
    "scale-00000000\r\nx: y",
    "scale-0000000g",
    "SCALE-00000000",
    "../scale-00000000",
    "scale-000000000",
    "__proto__",
    "x".repeat(5000),
  ])("an operation %j", async (id) => {
    const reply = await openPlace().send("GET", `${CLUSTER}/operations/${id}`);
    expect([400, 404]).toContain(reply.status);
    expect(Object.keys(reply.headers).sort()).toEqual(["cache-control", "content-type"]);
  });

  test.each(MALFORMED.map((value) => [JSON.stringify(value).slice(0, 40), value]))(
    "a key of %s",
    async (_, key) => {
      const place = openPlace();
      const reply = await place.send("POST", `${CLUSTER}/scale`, { key, body: { replicas: 5 } });
      expect(reply.status).toBe(/^[\x20-\x7e]{1,128}$/.test(key) ? 202 : 400);
      expect(reply.text).not.toContain("\n{");
    },
  );
});
