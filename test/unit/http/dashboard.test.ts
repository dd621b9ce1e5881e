/** The files of the dashboard: who gets them, what they let a browser do, how large they are, and that they are of this tree. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { requestFunction as switchover } from "../../../functions/switchover/index.ts";
import { dashboardModule, modulePath } from "../../../infra/dev/dashboard.ts";
import { root } from "../../../infra/dev/tool.ts";
import { openPlace } from "./support.ts";

const FILES = ["/dashboard", "/dashboard.js", "/dashboard.css"] as const;
const NOBODY = { token: null } as const;
const BYTES_MAX = 100 * 1024;

test("the module is what the sources give", async () => {
  expect(readFileSync(modulePath, "utf8"), "run `npm run dashboard`").toBe(await dashboardModule());
});

test("anybody may have the page, which lets a browser ask nobody else and run nothing else", async () => {
  const place = openPlace();
  for (const path of FILES) {
    const { status, headers } = await place.send("GET", path, NOBODY);
    expect([path, status]).toEqual([path, 200]);
    const policy = headers["content-security-policy"] ?? "";
    expect(policy.split("; ")).toEqual(
      expect.arrayContaining([
        ...["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'"],
        ...[
          "frame-ancestors 'none'",
          "form-action 'none'",
          "base-uri 'none'",
          "require-trusted-types-for 'script'",
        ],
      ]),
    );
    expect(policy).not.toMatch(/unsafe|http|\*/);
    expect(headers).toMatchObject({ "x-content-type-options": "nosniff", "referrer-policy": "no-referrer" });
  }
  expect((await place.send("GET", "/dashboard", NOBODY)).headers).toMatchObject({
    ...{ "content-type": "text/html; charset=utf-8", "cache-control": "no-store" },
  });
  expect((await place.send("GET", "/", NOBODY)).headers["location"]).toBe("/dashboard");
});

test("nothing in it is inline, of others, or made of markup", async () => {
  const place = openPlace();
  const [page = "", script = "", style = ""] = await Promise.all(
    FILES.map(async (path) => (await place.send("GET", path, NOBODY)).text),
  );
  expect(page).not.toMatch(/ on\w+=|<style|style=|<script>|javascript:/);
  expect([...page.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, url]) => url?.slice(0, 11))).toEqual([
    ...["data:image/", "/dashboard.", "/dashboard.", "#main", "#/"],
  ]);
  expect(script).not.toMatch(
    /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|https?:/,
  );
  expect(style).not.toMatch(/url\(|@import|https?:/);
  const bytes = [page, script, style].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  expect(bytes).toBeLessThan(BYTES_MAX);
});

test("what somebody has already is not sent again", async () => {
  const place = openPlace();
  const { headers } = await place.send("GET", "/dashboard.js", NOBODY);
  const tag = headers["etag"] ?? "";
  expect(tag).toMatch(/^"[\w-]{24}"$/);
  const same = await place.send("GET", "/dashboard.js", { ...NOBODY, headers: { "if-none-match": tag } });
  expect([same.status, same.text, same.headers["etag"]]).toEqual([304, "", tag]);
  const other = await place.send("GET", "/dashboard.js", {
    ...NOBODY,
    headers: { "if-none-match": '"other"' },
  });
  expect(other.status).toBe(200);
});

test("only the function that shows clusters brings it", async () => {
  const place = openPlace([switchover]);
  for (const path of FILES) expect((await place.send("GET", path, NOBODY)).status).toBe(404);
  const sources = readFileSync(join(root, "shared/hosts/http/front.ts"), "utf8");
  expect(sources).not.toContain("generated");
});
