// Signing in at a real identity provider (OpenID Connect's own certified one for Node), over HTTPS.
import type { Server } from "node:http";
import type { Page } from "@playwright/test";
import { allowUser, EVERYTHING, OIDC } from "./cluster";
import { expect, test } from "./looking";
import { provider } from "./provider";

test.use({ ignoreHTTPSErrors: true });
test.describe.configure({ mode: "serial" });

let id: Server;
test.beforeAll(async () => {
  id = await provider();
});
test.afterAll(() => new Promise<void>((closed) => id.close(() => closed())));

async function signIn(page: Page, name: string): Promise<void> {
  await page.goto(OIDC);
  await page.getByRole("link", { name: "Sign in" }).click();
  await page.locator("input[name=login]").fill(name);
  await page.locator("input[name=password]").fill("any");
  await page.getByRole("button", { name: "Sign-in" }).click();
  await page.getByRole("button", { name: "Continue" }).click();
}

test("who is known at the provider is who they are here, and may do what the cluster says", async ({ page }) => {
  await allowUser("ada@example.com", [EVERYTHING]);
  await signIn(page, "ada");
  await expect(page.locator(".cell").first()).toBeVisible();
  expect(page.url()).toBe(`${OIDC}/`);
  await page.goto(`${OIDC}/settings`);
  await expect(page.locator("main")).toContainText("You are signed in as ada@example.com");
  const [cookie] = (await page.context().cookies(OIDC)).filter((one) => one.name === "__Host-keelson");
  expect(cookie).toMatchObject({ httpOnly: true, secure: true, sameSite: "Strict" });
  await page.getByRole("button", { name: "Pause all actions" }).click();
  await expect(page.getByRole("button", { name: "Let actions go on" })).toBeVisible({ timeout: 10_000 });
  await page.getByRole("button", { name: "Let actions go on" }).click();
  await page.goto(`${OIDC}/decisions?kind=Platform`);
  await expect(page.locator("tbody")).toContainText("ada@example.com asked to pause scheduling. It was done.");
  await page.locator("nav").getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
});

test("a group of the provider makes nobody a master of the cluster", async ({ page }) => {
  await signIn(page, "bob");
  await expect(page.getByRole("heading", { name: "You are not let in" })).toBeVisible();
  await expect(page.locator("main")).toContainText("bob@example.com");
});

test("an address that the provider did not verify signs nobody in", async ({ page }) => {
  await signIn(page, "unverified");
  await expect(page.getByRole("alert")).toContainText("did not sign you in");
});
