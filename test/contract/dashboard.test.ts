/**
 * The dashboard in a real Chromium, against the front and the server of HTTP as they are shipped, on a simulated API server: what
 * somebody sees, what a click really writes, what a keyboard reaches, and what a maintained checker says of it. Pictures of it
 * are kept in .reports/dashboard.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import axe from "axe-core";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { root } from "../../infra/dev/tool.ts";
import { ensurePackages } from "../../infra/local/packages.ts";
import { ANNOTATION } from "../../shared/annotations/keys.ts";
import { succeed } from "../../shared/model/outcome.ts";
import { whyNoServers } from "../runner/tiers.ts";
import { part } from "../sim/kube/store.ts";
import { putBusy, putMany, putShop } from "../support/dashboard/fleet.ts";
import { CHROMIUM, type DashboardPlace, openDashboard, tokenFor } from "../support/dashboard/place.ts";

const PICTURES = join(root, ".reports/dashboard");
const FIRST_PAINT_MS_MAX = 1_000;
const PHONE = { width: 360, height: 740 };
const reason = whyNoServers();

function annotationOf({ sim }: DashboardPlace, name: string, key: string): unknown {
  const set = sim.raw("StatefulSet", { namespace: "shop", name }) ?? {};
  return part(part(set, "metadata"), "annotations")[key];
}

interface Finding {
  readonly id: string;
  readonly impact: string | null;
  readonly help: string;
  readonly nodes: readonly { readonly target: readonly string[] }[];
}

describe.skipIf(reason !== undefined)(
  `the dashboard${reason === undefined ? "" : ` (skipped: ${reason})`}`,
  () => {
    let browser: Browser;
    let place: DashboardPlace;

    beforeAll(async () => {
      await ensurePackages([[CHROMIUM, "chromium"]]);
      mkdirSync(PICTURES, { recursive: true });
      browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
    });
    afterAll(async () => {
      await browser?.close();
    });

    async function open(others: number): Promise<void> {
      place = await openDashboard({
        fill: (sim, nowMs) => {
          putMany(sim, others, nowMs);
          return putShop(sim, nowMs);
        },
      });
      onTestFinished(() => place.close());
    }

    /** Whatever the browser complains of, a refused policy for instance, fails the test. */
    async function visit(path = "/dashboard", options: BrowserContextOptions = {}): Promise<Page> {
      const context = await browser.newContext(options);
      const page = await context.newPage();
      const complaints: string[] = [];
      const outside: string[] = [];
      // A refusal is an answer, which a browser takes for a mistake of the page.
      const isRefusal = (text: string): boolean =>
        /the server responded with a status of [45]\d\d/.test(text);
      page.on("console", (message) => {
        if (message.type() === "error" && !isRefusal(message.text())) complaints.push(message.text());
      });
      page.on("pageerror", (error) => complaints.push(error.message));
      page.on(
        "request",
        (request) => !/^(?:data:|http:\/\/127\.0\.0\.1:)/.test(request.url()) && outside.push(request.url()),
      );
      await page.goto(place.url + path);
      onTestFinished(async () => {
        await context.close();
        expect([complaints, outside]).toEqual([[], []]);
      });
      return page;
    }

    async function signedIn(
      who: "admin" | "reader",
      path = "/dashboard",
      options: BrowserContextOptions = {},
    ): Promise<Page> {
      const page = await visit(path, options);
      await page.getByLabel("A token", { exact: true }).fill(tokenFor(who));
      await page.getByRole("button", { name: "Look" }).click();
      await page.getByRole("button", { name: "Sign out" }).waitFor();
      return page;
    }

    const widthOf = (page: Page): Promise<number> => page.evaluate("document.documentElement.scrollWidth");
    const picture = (page: Page, name: string): Promise<unknown> =>
      page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true });

    /** What a person could not use: the checker's serious and critical findings. */
    async function findings(page: Page): Promise<readonly string[]> {
      // The page's own policy keeps scripts of others out, which the checker is one of.
      const session = await page.context().newCDPSession(page);
      await session.send("Runtime.evaluate", { expression: axe.source });
      const found = await session.send("Runtime.evaluate", {
        expression:
          "axe.run(document, { resultTypes: ['violations'] }).then(({ violations, passes }) => ({ violations, passes: passes.length }))",
        ...{ awaitPromise: true, returnByValue: true },
      });
      const { violations, passes } = found.result.value as {
        readonly violations: readonly Finding[];
        readonly passes: number;
      };
      expect(passes).toBeGreaterThan(10);
      return violations
        .filter(({ impact }) => impact === "serious" || impact === "critical")
        .map(
          ({ id, help, nodes }) =>
            `${id}: ${help} (${nodes.map(({ target }) => target.join(" ")).join(", ")})`,
        );
    }

    test("with 500 clusters the first paint is within a second, and looking again changes only what changed", async () => {
      await open(497);
      const page = await visit();
      const paintMs: number = await page.evaluate(
        // The browser tells "first-paint" alone when the contents come a frame later.
        "new Promise((done) => new PerformanceObserver((list) => list.getEntriesByName('first-contentful-paint').forEach((entry) => done(entry.startTime))).observe({ type: 'paint', buffered: true }))",
      );
      await page.getByLabel("A token", { exact: true }).fill(tokenFor("admin"));
      const askedMs: number = await page.evaluate("performance.now()");
      await page.getByRole("button", { name: "Look" }).click();
      await page.locator("table.fleet tbody tr").nth(499).waitFor();
      const shownMs: number = (await page.evaluate<number>("performance.now()")) - askedMs;
      await page.reload();
      await page.locator("table.fleet tbody tr").nth(499).waitFor();
      const reloadedMs: number = await page.evaluate("performance.now()");
      console.log(
        `first contentful paint ${Math.round(paintMs)} ms; 500 clusters shown ${Math.round(shownMs)} ms after the token, ${Math.round(reloadedMs)} ms after a reload`,
      );
      expect(paintMs).toBeLessThan(FIRST_PAINT_MS_MAX);
      expect(await page.locator("h1").textContent()).toMatch(/of 500 clusters/);
      await page.evaluate(
        "window.changed = 0; window.kept = document.querySelector('tbody tr:nth-child(400)'); new MutationObserver((list) => { window.changed += list.length; }).observe(document.querySelector('tbody'), { subtree: true, childList: true, characterData: true, attributes: true })",
      );
      const link = page.getByRole("link", { name: "team-0/db-000" });
      await link.focus();
      place.sim.put(
        "StatefulSet",
        { namespace: "team-0", name: "db-000" },
        {
          metadata: { annotations: { [ANNOTATION.phase]: "FailingOver" } },
        },
      );
      await page.locator("tr.bad", { hasText: "db-000" }).waitFor({ timeout: 20_000 });
      expect(await page.evaluate("document.activeElement.textContent")).toBe("team-0/db-000");
      expect(await page.evaluate("window.kept === document.querySelector('tbody tr:nth-child(400)')")).toBe(
        true,
      );
      // Times that count up change too, at most two in a row of the table.
      expect(await page.evaluate("window.changed")).toBeLessThan(1_100);
      expect(await page.locator("h1").textContent()).toMatch(/2 of 500 clusters are in trouble/);
      expect(await page.locator("#news").textContent()).toMatch(/2 of 500 clusters are in trouble/);
      await page.getByLabel("Show only").fill("shop");
      expect(await page.locator("table.fleet tbody tr").count()).toBe(2);
    }, 60_000);

    test("a cluster is told whole: state, advice, members, history, backups and what can be recovered", async () => {
      await open(0);
      const page = await signedIn("admin");
      await page.getByRole("link", { name: "shop/orders" }).click();
      await page.getByRole("heading", { level: 1, name: /orders serves, but is degraded: 2 of 3/ }).waitFor();
      await page.locator(".window .gap").waitFor();
      const text = await page.locator("main").textContent();
      for (const said of [
        ...["ReplicaLagging", "orders-2 is 34 s behind", "What you can do: nothing, when it passes."],
        ...[
          "Epoch 7",
          "1 of 2 replicas",
          "FailoverStarted",
          "epoch 6 → 7",
          "exit code 137",
          "What was considered (2)",
        ],
        ...["The last one proven is of", "but for a gap of 7h", "What was committed up to"],
      ]) {
        expect(text).toContain(said);
      }
      const calendar = page.getByRole("table", { name: /The last five weeks/ });
      expect(await calendar.getByText("proven", { exact: false }).count()).toBeGreaterThan(10);
      await picture(page, "cluster");
    });

    test("what is under way shows how far it is where that is known, and else how long the last one took", async () => {
      place = await openDashboard({
        fill: (sim, nowMs) => {
          putBusy(sim, nowMs);
          return putShop(sim, nowMs);
        },
      });
      onTestFinished(() => place.close());
      const page = await signedIn("admin", "/dashboard#/shop/stock");
      const copy = page.getByRole("progressbar", { name: "copy into stock-2" });
      await copy.waitFor();
      expect(await copy.getAttribute("value")).toBe("0.427");
      const text = await page.locator("main").textContent();
      expect(text).toContain("being seeded, 42 % (3.2 of 7.5 GiB)");
      expect(text).toMatch(/is taken from stock-0 for 4m; the last one took 15m\./);
      const backup = page.getByRole("progressbar", { name: "under way" });
      expect(await backup.getAttribute("value"), "nobody can say").toBeNull();
      expect(await findings(page)).toEqual([]);
      await picture(page, "busy");
    });

    test("a switchover shows its exact steps first, and writes the annotation when it is confirmed", async () => {
      await open(0);
      const page = await signedIn("admin", "/dashboard#/shop/orders");
      await page.getByRole("button", { name: "Switch over…" }).click();
      const dialog = page.getByRole("dialog", { name: "Switch over orders" });
      await dialog.getByText("SET GLOBAL super_read_only = ON;").waitFor();
      await picture(page, "switchover");
      expect(annotationOf(place, "orders", ANNOTATION.switchoverTo)).toBeUndefined();
      await dialog.getByRole("button", { name: "Switch over to orders-0" }).click();
      await page.getByText("switchover was asked for by").waitFor();
      expect(annotationOf(place, "orders", ANNOTATION.switchoverTo)).toBe("orders-0");
      expect(await dialog.count()).toBe(0);
    });

    test("what would be refused is told instead of a button that acts", async () => {
      await open(0);
      const page = await signedIn("admin", "/dashboard#/shop/orders");
      place.preview = succeed({
        ...{ plan: { stages: [], complete: true }, why: "" },
        refused: { code: "SwitchoverRefused", message: "orders-2 is 34 s behind." },
      });
      await page.getByRole("button", { name: "Switch over…" }).click();
      await page.getByRole("dialog").getByText("orders-2 is 34 s behind.").waitFor();
      await page.getByRole("button", { name: /Switch over to/ }).click({ force: true });
      expect(annotationOf(place, "orders", ANNOTATION.switchoverTo)).toBeUndefined();
      await page.getByRole("button", { name: "Cancel" }).click();
    });

    test("a failover that waits is approved into the epoch that it names", async () => {
      await open(0);
      const page = await signedIn("admin", "/dashboard#/shop/billing");
      await page.getByRole("button", { name: "Approve the failover…" }).click();
      await page.getByRole("button", { name: "Fail over into epoch 8" }).click();
      await expect.poll(() => annotationOf(place, "billing", ANNOTATION.approve)).toBe("e8");
    });

    test("whoever may only look sees no buttons, and a token that is not accepted ends at the door", async () => {
      await open(0);
      const page = await signedIn("reader", "/dashboard#/shop/orders");
      await page.getByText("This token may look only.").waitFor();
      expect(await page.locator("main button").count()).toBe(0);
      await page.getByRole("button", { name: "Sign out" }).click();
      expect(
        await page.evaluate("[location.href.includes('eyJ'), sessionStorage.length, localStorage.length]"),
      ).toEqual([false, 0, 0]);
      expect(await page.locator("main").textContent()).not.toContain("orders");
      await page.getByLabel("A token", { exact: true }).fill("a.b.c");
      await page.getByRole("button", { name: "Look" }).click();
      await page.getByRole("alert").getByText("The token is not valid for audience ordinal.").waitFor();
      expect(await page.evaluate("sessionStorage.length")).toBe(0);
    });

    test("while nobody answers it says so, and what was seen last stays", async () => {
      await open(0);
      const page = await signedIn("admin", "/dashboard#/shop/orders");
      await page.getByRole("heading", { level: 1, name: /orders/ }).waitFor();
      const silent = { kind: "transient", message: "not within 10 s" } as const;
      place.sim.setFaults(() => ({ before: silent }));
      await page.getByRole("alert").getByText("The API server does not answer Ordinal").waitFor();
      expect(await page.locator("h1").textContent()).toContain("orders serves");
      place.sim.setFaults(() => ({}));
      await page.getByRole("alert").waitFor({ state: "detached" });
    });

    test("everything can be done by the keyboard alone", async () => {
      await open(0);
      const page = await visit();
      const press = async (...keys: string[]) => {
        for (const key of keys) await page.keyboard.press(key);
      };
      const focused = (): Promise<string> =>
        page.evaluate("document.activeElement.textContent || document.activeElement.id");
      const reach = async (text: string): Promise<void> => {
        for (let presses = 0; presses < 40 && (await focused()) !== text; presses += 1) await press("Tab");
        expect(await focused()).toBe(text);
      };
      await reach("token");
      await page.keyboard.insertText(tokenFor("admin"));
      await press("Enter");
      await page.locator("table.fleet").waitFor();
      await reach("shop/orders");
      await press("Enter");
      await page.getByRole("heading", { level: 1, name: /orders/ }).waitFor();
      expect(await page.evaluate("document.activeElement.id")).toBe("main");
      await reach("Pause…");
      await press("Enter");
      await page.getByRole("dialog", { name: "Pause orders" }).getByText("No step follows").waitFor();
      await reach("Pause");
      await press("Enter");
      await expect.poll(() => annotationOf(place, "orders", ANNOTATION.pause)).toBe("true");
      expect(await page.locator("#news").textContent()).not.toBe("");
      await reach("Pause…");
      await press("Enter", "Escape");
      expect(await page.getByRole("dialog").count()).toBe(0);
      expect(await focused()).toBe("Pause…");
    });

    test.each(["light", "dark"] as const)(
      "a maintained checker finds nothing serious: %s",
      async (colorScheme) => {
        await open(20);
        const page = await visit("/dashboard", { colorScheme });
        const found = [...(await findings(page))];
        await picture(page, `sign-in-${colorScheme}`);
        await page.getByLabel("A token", { exact: true }).fill(tokenFor("admin"));
        await page.getByRole("button", { name: "Look" }).click();
        await page.locator("table.fleet").waitFor();
        found.push(...(await findings(page)));
        await picture(page, `fleet-${colorScheme}`);
        await page.getByRole("link", { name: "shop/orders" }).click();
        await page.locator(".window .gap").waitFor();
        found.push(...(await findings(page)));
        await picture(page, `cluster-${colorScheme}`);
        await page.getByRole("button", { name: "Switch over…" }).click();
        await page.locator(".steps ol").waitFor();
        found.push(...(await findings(page)));
        expect(found).toEqual([]);
      },
    );

    test("canary: the checker does see what is wrong", async () => {
      await open(0);
      const page = await signedIn("admin");
      await page.evaluate("document.querySelector('main').append(document.createElement('button'))");
      expect((await findings(page)).join()).toContain("button-name");
    });

    test("a phone of 360 pixels shows all of it without a bar to push sideways", async () => {
      await open(20);
      const page = await signedIn("admin", "/dashboard", { viewport: PHONE });
      await page.locator("table.fleet").waitFor();
      expect(await widthOf(page)).toBe(PHONE.width);
      await picture(page, "fleet-phone");
      await page.getByRole("link", { name: "shop/orders" }).click();
      await page.locator(".window .gap").waitFor();
      expect(await widthOf(page)).toBe(PHONE.width);
      await picture(page, "cluster-phone");
      await page.getByRole("button", { name: "Switch over…" }).click();
      await page.locator(".steps ol").waitFor();
      expect(await widthOf(page)).toBe(PHONE.width);
    });
  },
);
