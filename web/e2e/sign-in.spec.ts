// Signing in: with a token by keyboard, what is told to whom, and signing out everywhere.
import { DOOR, EVERYTHING, GUARDED, token } from "./cluster";
import { accessible, expect, misfits, test } from "./looking";

const session = { sign_in: "token", let_in: false, may_switch: false, may_see_nodes: false };

test("a token signs in by keyboard alone, and signing out ends it in every tab", async ({ context, page }) => {
  const ada = await token("ada", [EVERYTHING]);
  await page.goto(`${GUARDED}/settings`);
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  await expect(page.getByLabel("Token")).toBeFocused();
  await page.keyboard.type("not a token");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("alert")).toContainText("A token has");
  await page.keyboard.type("wrong");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("alert")).toContainText("kubectl create token");
  await page.getByLabel("Token").fill(ada);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "Settings" })).toBeVisible();
  await expect(page.locator("main")).toContainText("You are signed in as system:serviceaccount:default:ada");
  await expect(page.locator(".link")).toHaveText("live");
  expect(await page.evaluate(() => document.cookie)).toBe("");
  expect(JSON.stringify(await page.evaluate(() => ({ ...localStorage, ...sessionStorage })))).not.toContain(ada);

  const other = await context.newPage();
  await other.goto(`${GUARDED}/`);
  await expect(other.locator(".cell").first()).toBeVisible();
  await page.locator("main").getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  await expect(other.getByRole("heading", { name: "Sign in" })).toBeVisible({ timeout: 40_000 });
  expect((await page.request.get(`${GUARDED}/api/v1/overview`)).status()).toBe(401);
});

test("who may look and not switch is told so, and who is not let in as well", async ({ page }) => {
  const viewer = { apiGroups: [""], resources: ["pods"], verbs: ["get"] };
  await page.goto(`${GUARDED}/`);
  await page.getByLabel("Token").fill(await token("eve", [DOOR, viewer]));
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.locator("main")).toContainText("You may not see the nodes");
  await page.goto(`${GUARDED}/settings`);
  await expect(page.locator(".banner.warn")).toContainText("You may look and not switch");
  await expect(page.getByRole("button", { name: "Pause all actions" })).toBeDisabled();
  await page.goto(`${GUARDED}/subject/Node/-/node-a1/`);
  await expect(page.getByRole("alert")).toContainText("may not get nodes");
  await page.locator("nav").getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Token").fill(await token("bob", []));
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { name: "You are not let in" })).toBeVisible();
  await expect(page.locator("main")).toContainText("system:serviceaccount:default:bob");
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
});

for (const scheme of ["light", "dark"] as const) {
  test(`every way to sign in can be read, ${scheme}`, async ({ page, front }) => {
    await page.emulateMedia({ colorScheme: scheme });
    const long = `system:serviceaccount:${"a-team-with-a-long-name".repeat(3)}:viewer`;
    for (const [name, told] of [
      ["token", session],
      ["oidc", { ...session, sign_in: "oidc" }],
      ["proxy", { ...session, sign_in: "proxy" }],
      ["stranger", { ...session, user: long }],
    ] as const) {
      front.json("/api/v1/session", told);
      await page.goto(`${front.url}/?sign-in=refused`);
      await expect(page.locator(".sign-in-card")).toBeVisible();
      await accessible(page);
      for (const width of [1_280, 360]) {
        await page.setViewportSize({ width, height: 800 });
        expect(await misfits(page)).toEqual([]);
        await page.screenshot({ path: `test-results/sign-in-${name}-${scheme}-${width}.png` });
      }
    }
  });
}

test("a sign-in at the provider that failed says so in words", async ({ page, front }) => {
  front.json("/api/v1/session", { ...session, sign_in: "oidc" });
  await page.goto(`${front.url}/?sign-in=unavailable`);
  await expect(page.getByRole("alert")).toContainText("does not answer");
  await expect(page.getByRole("link", { name: "Sign in" })).toHaveAttribute("href", "/api/v1/sign-in");
});
