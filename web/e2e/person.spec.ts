// What a person does: finds a pod, follows a decision, switches the mode, works by keyboard, and loses the connection.
import { expect, test } from "@playwright/test";

test("decisions arrive by themselves", async ({ page }) => {
  await page.goto("/decisions");
  const newest = page.locator("tbody tr td.wide a").first();
  await expect(newest).toBeVisible();
  const before = await newest.getAttribute("href");
  await expect.poll(() => newest.getAttribute("href"), { timeout: 25_000 }).not.toBe(before);
});

test("everything is reached by keyboard", async ({ page }) => {
  await page.goto("/");
  await expect(page.locator(".cell").first()).toBeVisible();
  await page.keyboard.press("Tab");
  await expect(page.locator(".skip")).toBeFocused();
  await page.keyboard.press("/");
  await expect(page.locator("#search")).toBeFocused();
  await page.keyboard.press("Escape");
  await page.keyboard.press("g");
  await page.keyboard.press("d");
  await expect(page).toHaveURL(/\/decisions$/);
  await page.keyboard.press("?");
  await expect(page.locator("dialog")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.locator("dialog")).toHaveCount(0);
  await page.keyboard.press("g");
  await page.keyboard.press("n");
  await page.locator(".cell[tabindex='0']").focus();
  const first = await page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
  await page.keyboard.press("ArrowRight");
  expect(await page.evaluate(() => document.activeElement?.getAttribute("aria-label"))).not.toBe(first);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/subject\/Node\/-\//);
});

test("a pod that cannot be placed says why", async ({ page }) => {
  await page.goto("/decisions?reason=UnsupportedFeature&namespace=online-boutique");
  await expect(page.locator("tbody tr").first()).toContainText("persistentVolumeClaim", { timeout: 25_000 });
  await page.goto("/decisions?reason=Unschedulable&namespace=online-boutique");
  await page.locator("tbody tr td.wide a").first().click({ timeout: 25_000 });
  await expect(page.locator(".short").first()).toContainText("short");
});

test("a switch says what it would mean, and happens", { tag: "@alone" }, async ({ page }) => {
  await page.goto("/settings");
  await page.getByRole("radio", { name: /Observe/ }).click();
  await expect(page.locator("dialog")).toContainText("Observe");
  await page.keyboard.press("Escape");
  await expect(page.locator("dialog")).toHaveCount(0);
  await page.getByRole("radio", { name: /Observe/ }).click();
  await page.getByRole("button", { name: "Switch to Observe" }).click();
  await expect(page.locator(".switchboard .mode")).toHaveText("Observe", { timeout: 10_000 });
  await page.getByRole("radio", { name: /Enforce/ }).click();
  await page.getByRole("button", { name: "Switch to Enforce" }).click();
  await expect(page.locator(".switchboard .mode")).toHaveText("Enforce", { timeout: 10_000 });
  await page.getByRole("button", { name: "Pause all actions" }).click();
  await expect(page.getByRole("button", { name: "Let actions go on" })).toBeVisible({ timeout: 10_000 });
  await page.getByRole("button", { name: "Let actions go on" }).click();
  await expect(page.getByRole("button", { name: "Pause all actions" })).toBeVisible({ timeout: 10_000 });
});

test("a lost connection is said, and mends itself", async ({ page, context }) => {
  await page.goto("/");
  await expect(page.locator(".link.live")).toBeVisible();
  await page.route("**/api/v1/**", (route) => route.abort());
  await context.setOffline(true);
  await page.reload().catch(() => {});
  await context.setOffline(false);
  await page.goto("/");
  await expect(page.locator(".banner.bad")).toContainText("does not answer", { timeout: 15_000 });
  await page.unroute("**/api/v1/**");
  await expect(page.locator(".link.live")).toBeVisible({ timeout: 40_000 });
});

test("an empty cluster is drawn, not left", async ({ page }) => {
  await page.route("**/api/v1/stream", (route) =>
    route.fulfill({
      contentType: "text/event-stream",
      body: 'event: hello\ndata: {"seq":1,"resumed":false,"read_only":false}\n\nevent: nodes\ndata: {"version":1,"full":true,"nodes":[],"removed":[]}\n\n',
    }),
  );
  await page.route("**/api/v1/decisions?**", (route) => route.fulfill({ json: { decisions: [], partial: false } }));
  await page.goto("/");
  await expect(page.getByText("No node yet")).toBeVisible();
  await expect(page.getByText("Nothing decided yet")).toBeVisible();
});

test("two thousand nodes stay smooth", async ({ page }) => {
  const nodes = Array.from({ length: 2_000 }, (_, at) => ({
    name: `node-${at}`,
    zone: `zone-${at % 3}`,
    instance_type: "m5",
    spot: false,
    ready: true,
    cordoned: false,
    pods: at % 30,
    resources: [{ name: "cpu", capacity: 8_000, requested: at % 8_000 }],
    tightest: { name: "cpu", permille: at % 1_000 },
  }));
  const change = JSON.stringify({ version: 1, full: true, nodes, removed: [] });
  await page.route("**/api/v1/stream", (route) =>
    route.fulfill({
      contentType: "text/event-stream",
      body: `event: hello\ndata: {"seq":1,"resumed":true,"read_only":false}\n\nevent: nodes\ndata: ${change}\n\n`,
    }),
  );
  await page.goto("/");
  await expect(page.locator(".cell")).toHaveCount(2_000);
  const frames = await page.evaluate(
    () =>
      new Promise<number>((resolve) => {
        const times: number[] = [];
        const step = (now: number) => {
          times.push(now);
          scrollTo(0, (times.length * 7) % 400);
          if (times.length < 60) requestAnimationFrame(step);
          else resolve(((times.at(-1) ?? 0) - (times[0] ?? 0)) / (times.length - 1));
        };
        requestAnimationFrame(step);
      }),
  );
  console.log(`2,000 nodes: ${frames.toFixed(1)} ms a frame`);
});

test("the page is small", async ({ page }) => {
  const { gzipSync } = await import("node:zlib");
  let bytes = 0;
  for (const link of [...(await (await page.request.get("/")).text()).matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)]) {
    bytes += gzipSync(await (await page.request.get(link[1] ?? "/")).body()).length;
  }
  expect(bytes).toBeGreaterThan(10_000);
  expect(bytes).toBeLessThanOrEqual(150 * 1_024);
});
