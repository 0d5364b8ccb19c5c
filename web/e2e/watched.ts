// Every page of a test is watched: an error in it, or something that its policy refuses, fails the test.
import AxeBuilder from "@axe-core/playwright";
import { test as base, expect, type Page } from "@playwright/test";
import { Front } from "./front";

const REFUSED = /Refused to|Content Security Policy/;

export function watch(page: Page, problems: string[]): void {
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error" && REFUSED.test(message.text())) problems.push(message.text());
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

/** What axe finds against WCAG 2.2 AA, one line each. */
export async function violations(page: Page): Promise<string[]> {
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
  const axe = await new AxeBuilder({ page }).withTags(tags).analyze();
  return axe.violations.map((v) => `${v.id}: ${v.nodes.map((node) => node.target.join(" ")).join(", ")}`);
}

export { expect };
