// Every section, in both themes, at desktop and phone width: it shows its content, axe finds nothing, nothing overflows.
import { expect, type Page, test } from "@playwright/test";
import { violations, watch } from "./watched";

const SIZES = { desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };

async function firstDecision(page: Page, query: string): Promise<{ id: string; namespace: string; name: string }> {
  await expect
    .poll(
      async () =>
        ((await (await page.request.get(`/api/v1/decisions?limit=1&${query}`)).json()).decisions ?? []).length,
      {
        timeout: 20_000,
      },
    )
    .toBeGreaterThan(0);
  const { decisions } = await (await page.request.get(`/api/v1/decisions?limit=1&${query}`)).json();
  return { id: decisions[0].id, namespace: decisions[0].subject.namespace, name: decisions[0].subject.name };
}

const SECTIONS: Record<string, (page: Page) => Promise<{ path: string; shows: string }>> = {
  now: async () => ({ path: "/", shows: ".chain" }),
  decisions: async () => ({ path: "/decisions", shows: "tbody tr" }),
  "one decision": async (page) => ({
    path: `/decision/${(await firstDecision(page, "verb=Place")).id}`,
    shows: ".candidates",
  }),
  subject: async (page) => {
    const { namespace, name } = await firstDecision(page, "verb=Place");
    return { path: `/subject/Pod/${namespace}/${name}`, shows: ".timeline li" };
  },
  settings: async () => ({ path: "/settings", shows: ".switchboard" }),
  "no such page": async () => ({ path: "/nowhere", shows: ".empty" }),
  "no such decision": async () => ({ path: "/decision/01a20a36-4c94-7c29-ba35-d33514b3210c", shows: ".failure" }),
};

for (const [name, place] of Object.entries(SECTIONS)) {
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const colorScheme of ["light", "dark"] as const) {
      test(`${name}, ${size}, ${colorScheme}`, async ({ browser, baseURL }) => {
        const context = await browser.newContext({
          viewport,
          colorScheme,
          reducedMotion: "reduce",
          ...(baseURL ? { baseURL } : {}),
        });
        const page = await context.newPage();
        const problems: string[] = [];
        watch(page, problems);
        const { path, shows } = await place(page);
        await page.goto(path);
        await expect(page.locator(shows).first()).toBeVisible({ timeout: 15_000 });
        expect(await violations(page)).toEqual([]);
        const overflow = await page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        );
        expect(overflow).toBeLessThanOrEqual(0);
        expect(problems).toEqual([]);
        await context.close();
      });
    }
  }
}
