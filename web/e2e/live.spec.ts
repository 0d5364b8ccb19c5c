// What is live: one stream a browser, a line that breaks, a map of thousands, cards under a reader's hand, and what is
// drawn while there is nothing to draw.
import type { Page } from "@playwright/test";
import { accessible, expect, test } from "./looking";
import { changed, node, nodes, placed, tell } from "./story";

// Other programs want this machine's time too, and axe reads every element.
test.describe.configure({ timeout: 90_000 });

const focused = (page: Page) => page.evaluate(() => (document.activeElement as HTMLElement | null)?.dataset.name);

test.describe("one browser", () => {
  test("has one stream for seven pages, which live on when the one that holds it closes", async ({
    context,
    front,
  }) => {
    tell(front, nodes(3), [placed(1)]);
    const pages: Page[] = [];
    for (let count = 0; count < 7; count++) {
      const page = await context.newPage();
      await page.goto(front.url);
      await expect(page.locator(".link.live")).toBeVisible();
      await expect(page.locator(".cell")).toHaveCount(3);
      await expect(page.locator(".chain")).toHaveCount(1);
      pages.push(page);
    }
    expect(front.count("/api/v1/stream")).toBe(1);
    expect(front.count("/api/v1/decisions")).toBe(1);
    front.say("decision", placed(2, { reason: "OnlyFeasibleNode" }));
    for (const page of pages) await expect(page.locator(".chain")).toHaveCount(2);

    const [leader, ...rest] = pages;
    await leader?.close();
    await expect.poll(() => front.count("/api/v1/stream")).toBe(2);
    expect(front.asked.at(-1)?.lastId, "it goes on where the other was").toBe("4");
    await expect.poll(() => front.listeners).toBe(1);
    front.say("nodes", changed([node(3)]));
    for (const page of rest) {
      await expect(page.locator(".cell")).toHaveCount(4);
      await expect(page.locator(".link.live")).toBeVisible();
    }
    const asked = front.asked.length;
    await rest[0]?.waitForTimeout(3_000);
    expect(front.asked.length, "an idle browser asks for nothing").toBe(asked);
  });

  test("tells every page how an open decision ended", async ({ context, front }) => {
    const open = placed(1, { outcome: "Pending" });
    tell(front, nodes(3), [open]);
    front.json(`/api/v1/decisions/${open.id}`, { decision: open, causes: [], consequences: [] });
    const pages = [await context.newPage(), await context.newPage()];
    for (const page of pages) {
      await page.goto(`${front.url}/decision/${open.id}/`);
      await expect(page.locator(".link.live")).toBeVisible();
      await expect(page.locator(".reason").first()).toContainText("under way");
    }
    expect(front.count("/api/v1/stream")).toBe(1);
    front.say("outcome", { id: open.id, outcome: "Done", steps: [{ at: 1, action: "bound it", result: "Done" }] });
    for (const page of pages) await expect(page.locator(".deeds")).toContainText("bound it");
  });
});

test.describe("the line", () => {
  test("that breaks is said, readable, and mends itself where it broke", async ({ page, front }) => {
    await page.goto(front.url);
    await expect(page.locator(".link.live")).toBeVisible();
    await expect(page.locator(".chain").first()).toBeVisible({ timeout: 20_000 });
    await expect(page.locator(".cell").first()).toBeVisible();
    front.cut();
    await expect(page.locator(".banner.bad")).toContainText("Keelson does not answer");
    await expect(page.locator(".cell").first()).toBeVisible();
    await accessible(page);
    const heard = () =>
      page.locator("[aria-live] .banner").evaluate((banner) => {
        const copy = banner.cloneNode(true) as Element;
        for (const hidden of copy.querySelectorAll("[aria-hidden]")) hidden.remove();
        return copy.textContent;
      });
    const before = await heard();
    await page.waitForTimeout(2_500);
    expect(await heard(), "who listens is told once").toBe(before);
    front.mend();
    await expect(page.locator(".link.live")).toBeVisible({ timeout: 60_000 });
    await expect(page.locator(".banner.bad")).toHaveCount(0);
    const last = front.asked.filter((one) => one.path === "/api/v1/stream").at(-1);
    expect(last?.lastId).toMatch(/^\d+$/);
  });

  test("that is refused says why", async ({ page, front }) => {
    const error = {
      category: "unavailable",
      message: "64 browsers have the page open",
      fix: "Close it in one of them.",
    };
    front.json("/api/v1/stream", { error }, 503);
    await page.goto(front.url);
    await expect(page.locator(".banner.bad")).toContainText("64 browsers have the page open. Close it in one of them.");
    await accessible(page);
  });

  test("waits for who is signed out", async ({ page, front }) => {
    front.json("/api/v1/stream", {}, 401);
    await page.goto(front.url);
    await expect(page.locator(".banner.bad")).toContainText("signed out");
    await accessible(page);
    await page.waitForTimeout(3_000);
    expect(front.count("/api/v1/stream")).toBe(1);
    front.passOn("/api/v1/stream");
    await page.getByRole("button", { name: "I have signed in again" }).click();
    await expect(page.locator(".link.live")).toBeVisible();
  });
});

test.describe("the map", () => {
  test("of two thousand nodes keeps the focus while they change", async ({ page, front }) => {
    const all = nodes(2_000);
    tell(front, all, [placed(1)]);
    await page.goto(front.url);
    await expect(page.locator(".cell")).toHaveCount(2_000);
    await page.locator('.cell[data-name="node-7"]').focus();
    for (let tick = 0; tick < 20; tick++) {
      front.say("nodes", changed([node(tick * 37, { tightest: { name: "cpu", permille: tick * 50 } })]));
    }
    front.say("nodes", changed([node(1_999, { tightest: { name: "cpu", permille: 950 } })]));
    await expect(page.locator('.cell.hot[data-name="node-1999"]')).toHaveCount(1);
    expect(await focused(page)).toBe("node-7");
    front.say("nodes", { version: 2, full: false, nodes: [node(2_000), node(7, { pods: 99 })], removed: ["node-5"] });
    await expect(page.locator('.cell[data-name="node-2000"]')).toHaveCount(1);
    await expect(page.locator('.cell[data-name="node-5"]')).toHaveCount(0);
    expect(await focused(page), "nodes that come and go do not move it").toBe("node-7");
    await page.keyboard.press("ArrowRight");
    expect(await focused(page)).not.toBe("node-7");
  });

  test("is a table for who reads it, made when it is asked for", async ({ page, front }) => {
    tell(front, nodes(200), [placed(1)]);
    await page.goto(front.url);
    await expect(page.locator(".cell")).toHaveCount(200);
    const rows = page.locator(".as-table tbody tr");
    await expect(rows).toHaveCount(0);
    await page.locator(".as-table summary").focus();
    await page.keyboard.press("Enter");
    await expect(rows).toHaveCount(50);
    await accessible(page);
    front.say("nodes", changed([node(3, { cordoned: true, pods: 99 })]));
    await expect(page.getByRole("row", { name: /^node-3 / })).toContainText("cordoned");
    await page.getByRole("button", { name: /50 more nodes of 150/ }).click();
    await expect(rows).toHaveCount(100);
    await page.getByRole("link", { name: "node-3", exact: true }).press("Enter");
    await expect(page).toHaveURL(/subject\/Node\/-\/node-3\/?$/);
  });

  for (const reducedMotion of ["no-preference", "reduce"] as const) {
    test(`fills as a node does: motion ${reducedMotion}`, async ({ page, front }) => {
      await page.emulateMedia({ reducedMotion });
      tell(front, nodes(3));
      await page.goto(front.url);
      const cell = page.locator('.cell[data-name="node-1"]');
      await expect(cell).toBeVisible();
      await cell.evaluate((cell) => {
        cell.addEventListener("transitionrun", (event) =>
          cell.setAttribute("data-moved", (event as TransitionEvent).propertyName),
        );
        cell.setAttribute("data-same", "");
      });
      front.say("nodes", changed([node(1, { tightest: { name: "cpu", permille: 950 } })]));
      await expect(page.locator(".cell.hot[data-same]"), "the cell is the same element").toHaveCount(1);
      await page.waitForTimeout(600);
      expect(await cell.getAttribute("data-moved")).toBe(reducedMotion === "reduce" ? null : "--level");
    });
  }
});

test.describe("cards", () => {
  const other = (second: number) =>
    placed(second, {
      subject: { kind: "Pod", namespace: "shop", name: `other-${second}` },
      sentence: `Other ${second}.`,
    });

  test("of eight pods placed alike are one, which unfolds", async ({ page, front }) => {
    const pods = Array.from({ length: 8 }, (_, at) => placed(8 - at));
    tell(front, nodes(3), pods);
    await page.goto(front.url);
    await expect(page.locator(".chain")).toHaveCount(1);
    await expect(page.locator(".chain")).toContainText("cart8 pods");
    await expect(page.locator(".chain .steps")).toContainText("PodPlaced ×8");
    await page.getByRole("button", { name: "all 8" }).click();
    await expect(page.locator(".each li")).toHaveCount(8);
    await expect(page.locator(".each a").first()).toHaveAttribute("href", /000000000008\/$/);
    await accessible(page);
  });

  test("stay what they are while the focus is on them", async ({ page, front }) => {
    tell(front, nodes(3), [placed(1), other(0)]);
    await page.goto(front.url);
    const link = page.locator(".chain .say a").first();
    await link.focus();
    const before = await page.evaluate(() => (document.activeElement as HTMLAnchorElement).href);
    front.say("decision", placed(2));
    front.say("decision", other(3));
    await expect(page.locator(".more-to-come")).toHaveText("2 new");
    expect(await page.evaluate(() => (document.activeElement as HTMLAnchorElement).href)).toBe(before);
    await page.locator("#search").focus();
    await expect(page.locator(".chain .say a").first()).toContainText("Other 3");
    await expect(page.locator(".more-to-come")).toHaveText("");
  });

  test("keep their element while others come", async ({ page, front }) => {
    tell(front, nodes(3), [placed(1)]);
    await page.goto(front.url);
    await page.locator(".chain").evaluate((card) => card.setAttribute("data-same", ""));
    front.say("decision", other(2));
    front.say("decision", placed(3));
    await expect(page.locator(".chain")).toHaveCount(2);
    await expect(page.locator(".chain[data-same]")).toContainText("2 pods");
  });
});

test.describe("what is drawn", () => {
  const STATES: Record<string, { begin: (front: import("./front").Front) => void; shows: string }> = {
    "while it loads": {
      begin: (front) => {
        front.answer("/api/v1/stream", () => {});
        front.answer("/api/v1/decisions", () => {});
      },
      shows: ".coming >> nth=0",
    },
    "of an empty cluster": { begin: (front) => tell(front, []), shows: "text=Nothing decided yet" },
    "when decisions cannot be read": {
      begin: (front) => {
        tell(front, nodes(36));
        const error = {
          category: "unavailable",
          message: "the store does not answer",
          fix: "See whether its disk is full.",
        };
        front.json("/api/v1/decisions", { error }, 503);
      },
      shows: "text=See whether its disk is full.",
    },
    "of a single node": { begin: (front) => tell(front, nodes(1), [placed(1)]), shows: ".chain" },
  };
  for (const [name, { begin, shows }] of Object.entries(STATES)) {
    for (const colorScheme of ["light", "dark"] as const) {
      test(`${name} can be read, ${colorScheme}`, async ({ page, front }) => {
        begin(front);
        await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        await page.goto(front.url);
        for (const [width, height] of [
          [1440, 900],
          [390, 844],
        ] as const) {
          await page.setViewportSize({ width, height });
          await expect(page.locator(shows).first()).toBeVisible();
          if (name !== "of an empty cluster") await expect(page.getByText("Nothing decided yet")).toHaveCount(0);
          await accessible(page);
          const root = page.locator("html");
          expect(await root.evaluate((html) => html.scrollWidth - html.clientWidth)).toBeLessThanOrEqual(0);
        }
      });
    }
  }

  test("as help can be read", async ({ page, front }) => {
    tell(front, nodes(3), [placed(1)]);
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      await page.goto(front.url);
      await expect(page.locator(".cell").first()).toBeVisible();
      await page.keyboard.press("?");
      await expect(page.locator("dialog")).toBeVisible();
      await accessible(page);
    }
  });

  test("is the same whether the system or the switch says dark", async ({ page, front }) => {
    tell(front, nodes(36), [placed(1)]);
    const colours = () =>
      page.evaluate(() =>
        ["body", "nav [aria-current]", ".feature", ".mode", ".cell", ".chain", ".whose time", ".steps a"].map(
          (part) => {
            const style = getComputedStyle(document.querySelector(part) ?? document.body);
            return [part, style.color, style.backgroundColor, style.borderColor, style.backgroundImage];
          },
        ),
      );
    const seen: Record<string, unknown> = {};
    for (const system of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme: system, reducedMotion: "reduce" });
      await page.goto(front.url);
      await expect(page.locator(".chain")).toBeVisible();
      for (const chosen of ["light", "dark"] as const) {
        await page.getByLabel("Theme").selectOption(chosen);
        await accessible(page);
        seen[`${chosen} chosen, ${system} system`] = await colours();
      }
      await page.getByLabel("Theme").selectOption("system");
      seen[`${system} system`] = await colours();
    }
    expect(seen["dark chosen, light system"]).toEqual(seen["dark system"]);
    expect(seen["light chosen, dark system"]).toEqual(seen["light system"]);
    expect(seen["dark system"]).not.toEqual(seen["light system"]);
  });
});
