// Every section, in both themes, at desktop and phone width: it shows its content, axe finds nothing, nothing is cut.
import type { Page } from "@playwright/test";
import { accessible, decisions, expect, misfits, test } from "./looking";

const SIZES = { desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };

const SECTIONS: Record<string, (page: Page) => Promise<{ path: string; shows: string }>> = {
  now: async () => ({ path: "/", shows: ".chain" }),
  decisions: async () => ({ path: "/decisions", shows: "tbody tr" }),
  "one decision": async (page) => {
    const [placed] = await decisions(page, "limit=1&verb=Place");
    return { path: `/decision/${placed.id}`, shows: ".candidates" };
  },
  "one decision that waits": async (page) => {
    const [waits] = await decisions(page, "limit=1&reason=Unschedulable&q=Insufficient");
    return { path: `/decision/${waits.id}`, shows: ".short" };
  },
  pod: async (page) => {
    const [{ subject }] = await decisions(page, "limit=1&verb=Place");
    return { path: `/subject/Pod/${subject.namespace}/${subject.name}/`, shows: ".timeline li" };
  },
  node: async (page) => {
    const [placed] = await decisions(page, "limit=1&verb=Place");
    return { path: `/subject/Node/-/${placed.chosen}/`, shows: ".bars" };
  },
  scheduling: async () => ({ path: "/scheduling", shows: ".drawing" }),
  settings: async () => ({ path: "/settings", shows: ".switchboard" }),
  "no such page": async () => ({ path: "/nowhere", shows: ".empty" }),
  "no such decision": async () => ({ path: "/decision/01a20a36-4c94-7c29-ba35-d33514b3210c", shows: ".failure" }),
};

// Half of all tests are these: they are shared among the workers.
test.describe.configure({ mode: "parallel" });

for (const [size, viewport] of Object.entries(SIZES)) {
  for (const colorScheme of ["light", "dark"] as const) {
    test.describe(`${size}, ${colorScheme}`, () => {
      test.use({ viewport, colorScheme, contextOptions: { reducedMotion: "reduce" } });
      for (const [name, place] of Object.entries(SECTIONS)) {
        test(name, async ({ page }) => {
          const { path, shows } = await place(page);
          await page.goto(path);
          await expect(page.locator(shows).first()).toBeVisible();
          await accessible(page);
          expect(await misfits(page)).toEqual([]);
          const centred = (cells: Element[]) =>
            cells.filter((cell) => getComputedStyle(cell).textAlign === "center").length;
          expect(await page.locator("td").evaluateAll(centred), "tables are read from the left").toBe(0);
        });
      }
    });
  }
}
