// What a person reads: lists that keep to their filters, one decision with what led to it, objects, and what went wrong.
import type { Page, Route } from "@playwright/test";
import { accessible, decisions, expect, misfits, openNewest, test } from "./looking";

const PHONE = { width: 390, height: 844 };
const says = (route: Route, json: unknown, status = 200) => route.fulfill({ status, json });

/** A decision as the API sends it. */
const decision = (id: string, name: string, more: object = {}) => ({
  id: `01a2147c-0000-7000-8000-${id.padStart(12, "0")}`,
  plan: "01a2147c-0000-7000-8000-0000000000ff",
  at: 1_795_640_021_207_000 + Number(id),
  last_at: 1_795_640_021_207_000 + Number(id),
  feature: "scheduling",
  controller: "binder",
  mode: "Enforce",
  subject: { kind: "Pod", namespace: "shop", name },
  trigger: "Timer",
  causes: [],
  cause_count: 0,
  verb: "Place",
  reason: "PodPlaced",
  sentence: `Placed on node-a1: said of ${name}.`,
  chosen: "node-a1",
  outcome: "Done",
  fence: 1,
  took: 62,
  count: 1,
  ...more,
});

const stream = (page: Page, events: [name: string, data: object][]) =>
  page.route("**/api/v1/stream**", (route) =>
    route.fulfill({
      contentType: "text/event-stream",
      body: [["hello", { seq: 1, resumed: true, read_only: false }] as const, ...events]
        .map(([name, data]) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`)
        .join(""),
    }),
  );

test("what is typed into the filters is in the URL, and Back takes it out again", async ({ page }) => {
  await decisions(page, "limit=1&verb=Place");
  await page.goto("/decisions");
  await page.getByLabel("verb").selectOption("Place");
  await expect(page).toHaveURL(/verb=Place/);
  await page.getByLabel("text").fill("Placed on");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/verb=Place&q=Placed\+on/);
  await expect(page.locator("tbody tr").first()).toContainText("Placed on");
  await page.goBack();
  await expect(page.getByLabel("text")).toHaveValue("");
  await expect(page.getByLabel("verb")).toHaveValue("Place");
  await page.goBack();
  await expect(page.getByLabel("verb")).toHaveValue("");
  await expect(page).toHaveURL(/\/decisions$/);
});

test("the filters of a link are in the form, and the list keeps to them", async ({ page }) => {
  const [first] = await decisions(page, "limit=1&verb=Place");
  const since = new Date(first.last_at / 1_000 - 1_000).toISOString();
  await page.goto(`/decisions?reason=${first.reason}&namespace=${first.subject.namespace}&since=${since}`);
  await expect(page.getByLabel("reason")).toHaveValue(first.reason);
  await expect(page.getByLabel("namespace")).toHaveValue(first.subject.namespace);
  await expect(page.getByLabel("since, UTC")).toHaveValue(new RegExp(`^${since.slice(0, 16)}`));
  await expect(page.locator("tbody tr").first()).toContainText(first.reason);
  await page.getByRole("button", { name: "Clear" }).click();
  await expect(page.getByLabel("reason")).toHaveValue("");
});

test("the first load asks for each list once", async ({ page }) => {
  const asked: string[] = [];
  page.on("request", (request) => {
    if (request.url().includes("/api/v1/decisions?")) asked.push(new URL(request.url()).search);
  });
  await page.goto("/decisions");
  await expect(page.locator(".link.live")).toBeVisible();
  await expect(page.locator("tbody tr").first()).toBeVisible();
  await page.waitForTimeout(1_000);
  expect(asked.filter((search) => search.includes("limit=50"))).toEqual(["?limit=50"]);
});

test("the export is what the list is of", async ({ page }) => {
  await decisions(page, "limit=1&verb=Place");
  await page.goto("/decisions?verb=Place");
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("link", { name: "Export" }).click(),
  ]);
  expect(download.suggestedFilename()).toBe("decisions.jsonl");
  const { readFile } = await import("node:fs/promises");
  const lines = (await readFile(await download.path(), "utf8")).trim().split("\n");
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines) expect(JSON.parse(line).verb).toBe("Place");
});

test("a decision is taken elsewhere by its permalink, its JSON and its trace", async ({ page, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const [placed] = await decisions(page, "limit=1&verb=Place");
  await page.goto(`/decision/${placed.id}/`);
  await page.getByRole("button", { name: "Permalink" }).click();
  await expect(page.locator(".tools [role=status]")).toHaveText("Link copied");
  await page.goto(await page.evaluate(() => navigator.clipboard.readText()));
  await expect(page.locator(".sentence")).toContainText("Placed");
  // Where the API has it is where a person may look for it.
  await page.goto(`/decisions/${placed.id}`);
  await expect(page.locator(".sentence")).toContainText("Placed");
  const json = await page.getByRole("link", { name: "JSON" }).getAttribute("href");
  expect((await (await page.request.get(json ?? "")).json()).decision.id).toBe(placed.id);
  await page.locator("summary").focus();
  await page.keyboard.press("Enter");
  await expect(page.locator(".record")).toContainText(placed.plan);
  await expect(page.locator(".record")).toContainText(`${placed.feature} / ${placed.controller}`);
});

test.describe("the picture of causes", () => {
  const [a, b, here] = [decision("1", "a"), decision("2", "b"), decision("5", "here")];
  const [x, y] = [decision("6", "x", { causes: [here.id] }), decision("7", "y", { causes: [here.id] })];
  const many = Array.from({ length: 6 }, (_, at) => decision(`${20 + at}`, `m${at}`));
  const whole = { ...here, causes: [a.id, b.id], cause_count: 3 };
  const show = async (page: Page, detail: object) => {
    await page.route(`**/api/v1/decisions/${here.id}`, (route) => says(route, detail));
    await page.goto(`/decision/${here.id}/`);
    await expect(page.locator(".picture .here")).toBeVisible();
  };
  const left = async (page: Page, name: string) =>
    (await page.locator(".picture li", { has: page.getByText(`shop/${name}`, { exact: true }) }).boundingBox())?.x;

  test("draws a line only from a cause to what it caused", async ({ page }) => {
    await show(page, { decision: whole, causes: [a, b], consequences: [x, y] });
    await expect(page.locator(".picture path")).toHaveCount(4);
    expect(await left(page, "a")).toBe(await left(page, "b"));
    expect(await left(page, "x")).toBe(await left(page, "y"));
    expect(await left(page, "a")).toBeLessThan((await left(page, "here")) ?? 0);
    expect(await left(page, "here")).toBeLessThan((await left(page, "x")) ?? 0);
    await expect(page.locator(".picture li", { hasText: "1 more" })).toBeVisible();
    await expect(page.locator(".picture .here")).toContainText("caused by PodPlaced shop/a and PodPlaced shop/b");
    await accessible(page);
  });

  test("is walked by keyboard", async ({ page }) => {
    await show(page, { decision: whole, causes: [a, b], consequences: [x, y] });
    await page.locator(".picture a").first().focus();
    for (const name of ["shop/b", "shop/here", "shop/x"]) {
      await page.keyboard.press("Tab");
      await expect(page.locator(":focus")).toContainText(name);
    }
    await page.route(`**/api/v1/decisions/${x.id}`, (route) =>
      says(route, { decision: x, causes: [whole], consequences: [] }),
    );
    await page.keyboard.press("Enter");
    await expect(page).toHaveURL(new RegExp(x.id));
    await expect(page.locator(".picture .here")).toContainText("shop/x");
  });

  test("counts what it does not draw, and draws it when asked", async ({ page }) => {
    const causes = many.map((one) => one.id);
    await show(page, { decision: { ...here, causes, cause_count: 6 }, causes: many, consequences: [] });
    await expect(page.locator(".picture a")).toHaveCount(5);
    await page.getByRole("button", { name: "2 more" }).click();
    await expect(page.locator(".picture a")).toHaveCount(7);
  });

  test("fits a phone", async ({ page }) => {
    await page.setViewportSize(PHONE);
    await show(page, { decision: whole, causes: [a, b], consequences: [x, y] });
    await expect(page.locator(".picture path")).toHaveCount(4);
    expect(await misfits(page)).toEqual([]);
    await accessible(page);
  });
});

test("an open decision learns how it ended, and what followed", async ({ page }) => {
  const open = decision("5", "open", { outcome: "Pending" });
  await page.route(`**/api/v1/decisions/${open.id}`, (route) =>
    says(route, { decision: open, causes: [], consequences: [] }),
  );
  await page.route("**/api/v1/decisions?**", (route) => says(route, { decisions: [], partial: false }));
  let said = false;
  await page.route("**/api/v1/stream**", async (route) => {
    // The second time it has something to say: by then the page shows the decision.
    if (!said) {
      said = true;
      return route.fulfill({ status: 503, body: "" });
    }
    await expect(page.locator(".reason").first()).toContainText("under way");
    const events: [string, object][] = [
      ["hello", { seq: 1, resumed: true, read_only: false }],
      ["outcome", { id: open.id, outcome: "Done", steps: [{ at: 1, action: "bound it", result: "Done" }] }],
      [
        "effect",
        { id: open.id, effect: { at: 2, sentence: "Running after 2 s.", figures: { "running after": "2 s" } } },
      ],
      ["decision", decision("6", "next", { causes: [open.id], cause_count: 1 })],
    ];
    const body = events.map(([name, data]) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`).join("");
    return route.fulfill({ contentType: "text/event-stream", body });
  });
  await page.goto(`/decision/${open.id}/`);
  await expect(page.locator(".deeds")).toContainText("bound it", { timeout: 15_000 });
  await expect(page.locator(".facts")).toContainText("2 sto Running");
  await expect(page.locator(".picture")).toContainText("shop/next");
});

test("a decision shows its parts as numbers, and those decided with it", async ({ page }) => {
  const scores = (fit: number) => [
    { name: "NodeResourcesFit", value: fit, weight: 1 },
    { name: "TaintToleration", value: 100, weight: 3 },
  ];
  const here = decision("5", "here", {
    inputs: { nodes: "3", feasible: "2" },
    candidates: [
      { name: "node-a1", total: 390, scores: scores(90) },
      { name: "node-a2", total: 320, scores: scores(20) },
      { name: "node-a3", failed: [{ name: "Fit", text: "needs 2 cpu, 1 free: short 1; and more", nodes: 1 }] },
    ],
  });
  await page.route(`**/api/v1/decisions/${here.id}`, (route) =>
    says(route, { decision: here, causes: [], consequences: [] }),
  );
  await page.route("**/api/v1/decisions?since=**", (route) =>
    says(route, {
      decisions: [here, decision("6", "twin"), decision("7", "stranger", { plan: here.id })],
      partial: false,
    }),
  );
  await page.goto(`/decision/${here.id}/`);
  await expect(page.locator(".candidates .won")).toContainText("TaintToleration 300 100 × 3");
  await expect(page.locator(".facts")).toContainText("2 of 3");
  await expect(page.locator(".short")).toHaveText("short 1");
  const wide = (row: number) => page.locator(".candidates tbody tr").nth(row).locator(".bar i").first();
  const [best, second] = [await wide(0).boundingBox(), await wide(1).boundingBox()];
  expect((best?.width ?? 0) / (second?.width ?? 1)).toBeCloseTo(4.5, 0);
  await expect(page.locator(".together")).toContainText("shop/twin");
  await expect(page.locator(".together")).not.toContainText("stranger");
});

test.describe("an object", () => {
  test("a node shows what it holds, and what was decided about it, page by page", async ({ page }) => {
    const [placed] = await decisions(page, "limit=1&verb=Place");
    const asked: string[] = [];
    const on = { kind: "Node", name: placed.chosen };
    await page.route("**/api/v1/decisions?about=**", (route) => {
      const query = new URL(route.request().url()).searchParams;
      asked.push(`${query.get("about")} ${query.get("before") ?? ""}`.trim());
      const [newer, older] = [decision("9", "newer", { related: [on] }), decision("2", "older", { outcome: "Failed" })];
      return says(
        route,
        query.get("before")
          ? { decisions: [older], partial: false }
          : { decisions: [newer], partial: false, next: newer.id },
      );
    });
    await page.goto(`/subject/Node/-/${placed.chosen}/`);
    await expect(page.locator(".bars")).toContainText(/of \d+(\.\d)? cores? requested/);
    await expect(page.locator(".bars")).toContainText(/of \d+(\.\d)? GiB requested/);
    await expect(page.locator(".timeline")).toContainText("shop/newer");
    await page.getByRole("button", { name: "Older" }).click();
    await expect(page.locator(".timeline li.bad")).toContainText("shop/older");
    expect(asked[0]).toBe(`Node/-/${placed.chosen}`);
    await accessible(page);
  });

  test("a workload leads to its pods and their nodes", async ({ page }) => {
    await page.route("**/api/v1/subjects/Deployment.apps/shop/cart", (route) =>
      says(route, {
        object: { kind: "Deployment", group: "apps", namespace: "shop", name: "cart" },
        sentence: "Deployment shop/cart has 2 pods, of which 1 waits for a node",
        summary: { phases: "1 Pending, 1 Running", "pods and nodes": "cart-1 (none), cart-0 node-a1" },
        why: {
          feature: "scheduling",
          sentence: "Pod shop/cart-1: no room.",
          at: 1,
          candidates: [],
          changes: [{ sentence: "Would help: 120m less cpu requested.", verified: true }],
        },
      }),
    );
    await page.route("**/api/v1/decisions?about=**", (route) =>
      says(route, { decisions: [decision("9", "cart-0")], partial: false }),
    );
    await page.goto("/subject/Deployment.apps/shop/cart/");
    await expect(page.locator(".hint")).toContainText("Would help: 120m less cpu");
    await expect(page.locator(".timeline")).toContainText("shop/cart-0");
    await accessible(page);
    await page.getByRole("link", { name: "cart-1" }).click();
    await expect(page).toHaveURL(/\/subject\/Pod\/shop\/cart-1\//);
  });

  test("the longest name of a field breaks on a phone", async ({ page }) => {
    await page.setViewportSize(PHONE);
    const field = "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution";
    const one = decision("5", "cart-0", { sentence: `Cannot judge: ${field}: required affinity is not implemented.` });
    await page.route("**/api/v1/decisions?about=**", (route) => says(route, { decisions: [one], partial: false }));
    await page.route(`**/api/v1/decisions/${one.id}`, (route) =>
      says(route, { decision: one, causes: [], consequences: [] }),
    );
    await page.route("**/api/v1/subjects/Pod/shop/cart-0", (route) =>
      says(route, {
        object: one.subject,
        sentence: `Pod shop/cart-0 is Pending: ${field}`,
        summary: { phase: "Pending" },
        why: { feature: "scheduling", sentence: one.sentence, at: 1, candidates: [], changes: [] },
      }),
    );
    for (const [path, shows] of [
      ["/subject/Pod/shop/cart-0/", ".timeline li"],
      [`/decision/${one.id}/`, ".facts"],
    ]) {
      await page.goto(path ?? "");
      await expect(page.locator(shows ?? "")).toBeVisible();
      await expect(page.locator(".sentence")).toContainText(field);
      expect(await misfits(page)).toEqual([]);
    }
  });

  test("of what is gone it is said once why", async ({ page }) => {
    const said = "Placed on node-a1: the only node that can hold it";
    const gone = decision("5", "gone");
    await page.route("**/api/v1/decisions?about=**", (route) => says(route, { decisions: [], partial: false }));
    await page.route("**/api/v1/subjects/Pod/shop/gone", (route) =>
      says(route, {
        object: gone.subject,
        sentence: `Pod shop/gone is not in the cluster; the last that was decided: ${said}`,
        summary: {},
        why: { feature: "scheduling", sentence: `${said}.`, at: 1, candidates: [], changes: [], decision: gone.id },
      }),
    );
    await page.goto("/subject/Pod/shop/gone/");
    await expect(page.getByRole("link", { name: "The newest decision" })).toBeVisible();
    await expect(page.getByText(said)).toHaveCount(1);
  });

  test("a name without a namespace is looked for in all", async ({ page }) => {
    const [{ subject }] = await decisions(page, "limit=1&verb=Place");
    await page.goto("/decisions");
    await expect(page.locator("tbody tr").first()).toBeVisible();
    const find = async (text: string) => {
      await page.keyboard.press("/");
      await page.locator("#search").fill(text);
      await page.keyboard.press("Enter");
    };
    await find("pod nobody-knows");
    await expect(page).toHaveURL(/\/decisions\?kind=Pod&name=nobody-knows/);
    await expect(page.locator(".empty")).toContainText("No name is exactly that");
    await find(`pod ${subject.name}`);
    await expect(page.locator("main")).toContainText(subject.name);
    expect(page.url()).not.toContain("/default/");
  });
});

test.describe("what goes wrong is said", () => {
  test("a cut URL is no blank page", async ({ page }) => {
    await page.goto("/decision/%E0%A4%A");
    await expect(page.locator(".failure")).toBeVisible();
    await page.getByRole("link", { name: "Decisions" }).click();
    await expect(page.locator("h1")).toContainText("Decisions");
  });

  test("an error is said also where something live is shown", async ({ page }) => {
    const one = decision("5", "live");
    const broken = { error: { category: "unavailable", message: "the store does not answer", fix: "Start it." } };
    await stream(page, [["decision", one]]);
    await page.route("**/api/v1/decisions**", (route) => says(route, broken, 503));
    await page.route("**/api/v1/subjects/**", (route) => says(route, broken, 503));
    for (const path of ["/decisions", `/decision/${one.id}/`, "/subject/Pod/shop/live/"]) {
      await page.goto(path);
      await expect(page.locator("main")).toContainText("said of live");
      await expect(page.locator(".trouble").first()).toContainText("the store does not answer. Start it.");
    }
  });

  test("what is being read is drawn in its shape", async ({ page }) => {
    await page.route("**/api/v1/decisions**", () => {});
    await page.route("**/api/v1/subjects/**", () => {});
    for (const path of ["/decisions", "/decision/01a20a36-4c94-7c29-ba35-d33514b3210c", "/subject/Pod/shop/x/"]) {
      await page.goto(path);
      await expect(page.locator(".bones").first()).toBeVisible();
    }
    await page.unrouteAll({ behavior: "ignoreErrors" });
  });

  test("a section that breaks says so in its place", async ({ page }) => {
    const broken = { ...decision("5", "x"), subject: null };
    await page.route("**/api/v1/decisions?**", (route) => says(route, { decisions: [broken], partial: false }));
    await page.goto("/decisions");
    await expect(page.locator("main .failure")).toBeVisible();
    await page.unrouteAll({ behavior: "ignoreErrors" });
    await page.getByRole("link", { name: "Settings" }).click();
    await expect(page.locator(".switchboard")).toBeVisible();
  });
});

test("rows are cards on a phone: nothing is cut", async ({ page }) => {
  await page.setViewportSize(PHONE);
  for (const open of [() => page.goto("/decisions"), () => openNewest(page, "reason=Unschedulable")]) {
    await open();
    const row = page.locator("tbody tr").first();
    await expect(row).toBeVisible();
    // The list lives: a row may be replaced while it is looked at.
    const share = () => row.evaluate((card) => (card.querySelector("td.wide")?.clientWidth ?? 0) / card.clientWidth);
    await expect.poll(share).toBeGreaterThan(0.8);
    expect(await misfits(page)).toEqual([]);
  }
});

test("the list and one decision are read by keyboard", async ({ page }) => {
  await decisions(page, "limit=1&verb=Place");
  await page.goto("/decisions?verb=Place");
  await expect(page.locator("tbody tr").first()).toBeVisible();
  await page.getByLabel("until, UTC").focus();
  for (let press = 0; press < 12; press += 1) {
    await page.keyboard.press("Tab");
    if (await page.locator("td.wide a:focus").count()) break;
  }
  await expect(page.locator("td.wide a:focus")).toHaveCount(1);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/decision\//);
  await expect(page.locator("#main")).toBeFocused();
  await expect(page.locator(".candidates")).toBeVisible();
  for (let press = 0; press < 60; press += 1) {
    await page.keyboard.press("Tab");
    if (await page.locator("summary:focus").count()) break;
  }
  await page.keyboard.press("Enter");
  await expect(page.locator(".record pre")).toBeVisible();
});

test("the theme is switched, and remembered", async ({ page }) => {
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.emulateMedia({ colorScheme: "light" });
  await page.goto("/settings");
  const light = await paper();
  await page.getByLabel("Theme").selectOption("dark");
  expect(await paper()).not.toBe(light);
  await page.reload();
  await expect(page.getByLabel("Theme")).toHaveValue("dark");
  expect(await paper()).not.toBe(light);
  await page.getByLabel("Theme").selectOption("system");
  expect(await paper()).toBe(light);
});

test.describe("before a switch", () => {
  const asked = async (page: Page) => {
    await page.goto("/settings");
    const other = page.locator(".choice label:not(.on):not(.above)").last();
    await other.click();
    return page.locator("dialog");
  };

  test("nothing can be confirmed that was not shown", async ({ page }) => {
    await page.route("**/api/v1/features/*/preview**", () => {});
    const dialog = await asked(page);
    await expect(dialog.locator(".loading")).toBeVisible();
    await expect(dialog.locator(".primary")).toBeDisabled();
    await page.unrouteAll({ behavior: "ignoreErrors" });
    const broken = { error: { category: "unavailable", message: "it cannot be told", fix: "Wait." } };
    await page.route("**/api/v1/features/*/preview**", (route) => says(route, broken, 503));
    await asked(page);
    await expect(dialog.locator(".failure")).toContainText("it cannot be told", { timeout: 15_000 });
    await expect(dialog.locator(".primary")).toBeDisabled();
    await accessible(page);
  });

  test("it is said what it would mean, and the words it gave are sent", async ({ page }) => {
    await page.route("**/api/v1/features/*/preview**", (route) =>
      says(route, {
        feature: "scheduling",
        from: "Observe",
        to: "Enforce",
        window_us: 3_600_000_000,
        actions: 1,
        would: ["1 pod that names Keelson would have been bound to a node."],
        by_verb: [{ word: "Place", count: 1 }],
        by_reason: [{ word: "OnlyFeasibleNode", count: 1 }],
        waiting_for_us: 1,
        confirm: "these very words",
      }),
    );
    let sent: unknown;
    await page.route("**/api/v1/features/*/mode", (route) => {
      sent = route.request().postDataJSON();
      return says(route, { feature: "scheduling", wanted: "Enforce", paused: false });
    });
    const dialog = await asked(page);
    await expect(dialog).toContainText("In the last hour, Enforce would have taken 1 action.");
    await expect(dialog).toContainText("1 pod names Keelson as its scheduler and waits now.");
    await expect(dialog.locator(".counts")).toContainText("Place1");
    await accessible(page);
    await dialog.locator(".primary").click();
    await expect(dialog).toHaveCount(0);
    expect((sent as { confirm: string }).confirm).toBe("these very words");
  });

  test("the modes stand on one line", async ({ page }) => {
    await page.goto("/settings");
    await expect(page.locator(".choice b")).toHaveCount(3);
    const tops = await page.locator(".choice b").evaluateAll((all) => all.map((b) => b.getBoundingClientRect().top));
    expect(new Set(tops).size).toBe(1);
  });
});

test("dialogs are accessible in both themes", async ({ page }) => {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await page.goto("/settings");
    await expect(page.locator(".choice").first()).toBeVisible();
    await page.keyboard.press("?");
    await expect(page.locator("dialog")).toBeVisible();
    await accessible(page);
    await page.keyboard.press("Escape");
    await expect(page.locator("dialog")).toHaveCount(0);
    await page.locator(".choice label:not(.on):not(.above)").first().click();
    await expect(page.locator("dialog .meaning")).toBeVisible({ timeout: 15_000 });
    await accessible(page);
  }
});

test("the facts that features share are told with their age", async ({ page }) => {
  await page.goto("/settings");
  const facts = page.getByRole("region", { name: /^Facts/ });
  await expect(facts.getByRole("row", { name: /^NodeBandwidth .* ago .*network interfaces are known/ })).toBeVisible();
  await accessible(page);
});

test("settings are read and left by keyboard", async ({ page }) => {
  await page.goto("/settings");
  await page.locator(".choice input:checked").focus();
  await page.keyboard.press("ArrowUp");
  await expect(page.locator("dialog")).toBeVisible();
  await expect(page.locator("dialog button:focus")).toHaveText("Cancel");
  await expect(page.locator("dialog .primary")).toBeEnabled();
  await page.keyboard.press("Tab");
  await expect(page.locator("dialog .primary")).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(page.locator("dialog")).toHaveCount(0);
  await expect(page.locator(".choice .on input")).toBeChecked();
});
