// How a page is looked at: what goes wrong while it is open, what axe finds, and what does not fit.
//
// Every page of a test is watched: an error in it, or something that its policy refuses, fails the test.
import AxeBuilder from "@axe-core/playwright";
import { test as base, expect, type Page } from "@playwright/test";
import { Front } from "./front";

const REFUSED = /Refused to|content security policy/i;

function watch(page: Page, problems: string[]): void {
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => {
    if (REFUSED.test(message.text())) problems.push(message.text());
  });
}

export const test = base.extend<{ problems: string[]; front: Front }>({
  problems: [
    async ({ context }, use) => {
      const problems: string[] = [];
      context.on("page", (page) => watch(page, problems));
      await use(problems);
      expect(problems).toEqual([]);
    },
    { auto: true },
  ],
  front: async ({ baseURL }, use) => {
    const front = await Front.of(baseURL ?? "");
    await use(front);
    await front.close();
  },
});

/** That axe finds nothing against WCAG 2.2 AA. */
export async function accessible(page: Page): Promise<void> {
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
  const { violations } = await new AxeBuilder({ page }).withTags(tags).analyze();
  expect(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(" ")).join(", ")}`)).toEqual([]);
}

/** What stands out of the window, is cut, or scrolls sideways in itself. JSON may, and what is for readers of the screen. */
export async function misfits(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    const found = document.documentElement.scrollWidth > width ? ["the page scrolls sideways"] : [];
    for (const element of document.querySelectorAll<HTMLElement>("body *")) {
      const box = element.getBoundingClientRect();
      if (box.width <= 1 || element.closest(".hidden, .skip, pre, svg, datalist, thead, select, input")) continue;
      const style = getComputedStyle(element);
      const name = `${element.tagName.toLowerCase()}.${[...element.classList].join(".")}`;
      if (box.right > width + 1 || box.left < -1) found.push(`${name} stands out of the window`);
      const clips = style.overflowX !== "visible" && style.textOverflow !== "ellipsis";
      if (clips && element.scrollWidth > element.clientWidth + 1) found.push(`${name} is cut`);
    }
    return [...new Set(found)];
  });
}

/** Some decisions, once there are any. */
export async function decisions(page: Page, query: string) {
  const ask = async () => (await (await page.request.get(`/api/v1/decisions?${query}`)).json()).decisions ?? [];
  await expect.poll(async () => (await ask()).length, { timeout: 25_000 }).toBeGreaterThan(0);
  return ask();
}

/** Opens the newest decision of these: another one when it was folded or swept on the way. */
export async function openNewest(page: Page, query: string): Promise<void> {
  await expect(async () => {
    const [newest] = await decisions(page, `limit=1&${query}`);
    await page.goto(`/decision/${newest.id}/`);
    await expect(page.locator(".sentence")).toBeVisible({ timeout: 5_000 });
  }).toPass({ timeout: 40_000 });
}

export { expect };
