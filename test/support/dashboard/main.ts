/**
 * `npm run picture`: docs/images/dashboard.png, the page of a cluster of the simulated fleet as a real Chromium shows it.
 */
import { mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { chromium } from "playwright-core";
import { root } from "../../../infra/dev/tool.ts";
import { ensurePackages } from "../../../infra/local/packages.ts";
import { putMany, putShop } from "./fleet.ts";
import { CHROMIUM, openDashboard, tokenFor } from "./place.ts";

const target = join(root, "docs/images/dashboard.png");
const BYTES_MAX = 150 * 1024;
/** As much as says what it is; the rest is further down. */
const SIZE = { width: 900, height: 940 };

await ensurePackages([[CHROMIUM, "chromium"]]);
const place = await openDashboard({
  fill: (sim, nowMs) => {
    putMany(sim, 20, nowMs);
    return putShop(sim, nowMs);
  },
});
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
try {
  const page = await browser.newPage({ viewport: SIZE });
  await page.goto(`${place.url}/dashboard#/shop/orders`);
  await page.getByLabel("A token", { exact: true }).fill(tokenFor("admin"));
  await page.getByRole("button", { name: "Look" }).click();
  await page.locator(".window .gap").waitFor();
  mkdirSync(dirname(target), { recursive: true });
  await page.screenshot({ path: target });
} finally {
  await browser.close();
  await place.close();
}
const { size } = statSync(target);
if (size > BYTES_MAX) throw new Error(`${target} has ${size} bytes, at most ${BYTES_MAX} are wanted`);
console.log(`wrote ${target}, ${Math.round(size / 1024)} KB`);
