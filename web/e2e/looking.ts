// How a page is looked at: what went wrong while it was open, what axe finds, and what does not fit.
import AxeBuilder from "@axe-core/playwright";
import { expect, type Page } from "@playwright/test";

/** Everything that goes wrong on a page from now on: what it throws, and what its content policy refuses. */
export function problemsOf(page: Page): string[] {
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => {
    if (/content security policy/i.test(message.text())) problems.push(message.text());
  });
  return problems;
}

export async function accessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page })
    .withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"])
    .analyze();
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
