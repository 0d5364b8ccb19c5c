// One evening, one picture after the other. Each is taken when what it is for is on the page, so that a picture never shows
// something that is still loading.
import { expect, type Page, test } from "@playwright/test";

const FOLDER = "../docs/tour";
/** Until then the evening has grown busy. */
const BUSY_HOURS = 2.7;

/** The newest decision that is as the first of these wants it, or else as the next does. */
async function find(page: Page, query: string, ...wanted: ((decision: Decision) => boolean)[]): Promise<Decision> {
  let found: Decision | undefined;
  await expect(async () => {
    const { decisions } = (await (await page.request.get(`/api/v1/decisions?limit=200&${query}`)).json()) as {
      decisions: Decision[];
    };
    found = wanted.map((is) => decisions.find(is)).find((one) => one !== undefined);
    expect(found).toBeDefined();
  }).toPass({ timeout: 60_000 });
  return found as Decision;
}

type Decision = {
  id: string;
  chosen?: string;
  cause_count: number;
  outcome: string;
  effect?: unknown;
  candidates?: unknown[];
  subject: { kind: string; namespace: string; name: string };
};

async function picture(page: Page, name: string): Promise<void> {
  await page.evaluate(() => document.fonts.ready);
  await page.screenshot({ path: `${FOLDER}/${name}.png`, caret: "hide" });
}

test("the pictures of the tour", async ({ page }) => {
  const clock = async () => (await (await page.request.get("/api/v1/overview")).json()).cluster.now as number;
  const began = await clock();
  await expect.poll(clock, { timeout: 150_000, intervals: [1_000] }).toBeGreaterThan(began + BUSY_HOURS * 3_600e6);

  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    await page.goto("/");
    await expect(page.locator(".link.live")).toBeVisible();
    await expect(page.locator(".chain").nth(3)).toBeVisible();
    await picture(page, colorScheme === "light" ? "now" : "now-dark");
  }
  await page.emulateMedia({ colorScheme: "light" });

  await page.goto("/decisions?reason=Unschedulable");
  await expect(page.locator("tbody tr").nth(2)).toBeVisible();
  await picture(page, "decisions");

  const waits = await find(page, "reason=Unschedulable&namespace=online-boutique", () => true);
  await page.goto(`/decision/${waits.id}/`);
  await expect(page.locator(".short").first()).toBeVisible();
  await picture(page, "waits");

  const done = (one: Decision) => one.outcome === "Done" && !!one.effect;
  const waited = (one: Decision) => done(one) && one.cause_count > 0;
  const chose = (one: Decision) => waited(one) && (one.candidates?.length ?? 0) > 1;
  const placed = await find(page, "verb=Place", chose, waited, done);
  await page.goto(`/decision/${placed.id}/`);
  await expect(page.locator(".candidates")).toBeVisible();
  await picture(page, "placed");

  // One that is still there: pods of jobs have ended by now.
  const runs = await find(page, "verb=Place", (one) => done(one) && !/-\d{8}-/.test(one.subject.name));
  await page.goto(`/subject/Pod/${runs.subject.namespace}/${runs.subject.name}/`);
  await expect(page.locator(".timeline li").first()).toBeVisible();
  await picture(page, "pod");

  await page.emulateMedia({ colorScheme: "dark" });
  await page.goto(`/subject/Node/-/${runs.chosen}/`);
  await expect(page.locator(".bars")).toBeVisible();
  await picture(page, "node-dark");
  await page.emulateMedia({ colorScheme: "light" });

  await page.goto("/settings");
  await page.getByRole("radio", { name: /Observe/ }).click();
  await expect(page.getByRole("button", { name: "Switch to Observe" })).toBeEnabled();
  await picture(page, "switch");

  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto("/decisions?verb=Place");
  await expect(page.locator("tbody tr").first()).toBeVisible();
  await picture(page, "phone");
});
