// What a person does: finds a pod, follows a decision, switches the mode, and works by keyboard.
import { expect, test } from "./looking";

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
  await page.goto("/decisions?reason=Unschedulable&namespace=online-boutique");
  const rows = page.locator("tbody tr");
  await expect(rows.filter({ hasText: "ledger" }).first()).toContainText("PersistentVolumeClaims", { timeout: 25_000 });
  await rows.filter({ hasText: "Insufficient" }).locator("td.wide a").first().click({ timeout: 25_000 });
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

test("single keys can be turned off, and stay off", async ({ page }) => {
  await page.goto("/");
  await expect(page.locator(".cell").first()).toBeVisible();
  await page.keyboard.press("?");
  await page.getByLabel("Keys without Ctrl or Alt").uncheck();
  await page.keyboard.press("Escape");
  await page.reload();
  await expect(page.locator(".cell").first()).toBeVisible();
  for (const key of ["/", "?", "g", "d"]) await page.keyboard.press(key);
  await expect(page.locator("#search")).not.toBeFocused();
  await expect(page.locator("dialog")).toHaveCount(0);
  await expect(page).toHaveURL(/\/$/);
  await page.getByRole("button", { name: "shortcuts" }).click();
  await page.getByLabel("Keys without Ctrl or Alt").check();
  await page.keyboard.press("Escape");
  await page.keyboard.press("g");
  await page.keyboard.press("d");
  await expect(page).toHaveURL(/\/decisions$/);
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
