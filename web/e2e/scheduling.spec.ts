// Scheduling: who waits and what would help, AppGroups over nodes, interfaces, other schedulers' choices, and what-if.
import type { Page } from "@playwright/test";
import type { Group, Pending, Proposal } from "../src/sections/scheduling/answers";
import type { Bandwidth, Interface, Ledger } from "../src/sections/scheduling/interfaces";
import { accessible, decisions, expect, misfits, test } from "./looking";

const SIZES = { desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };
const ASK = "**/api/v1/features/scheduling/ask";

const says = (page: Page, question: string, json: unknown, status = 200) =>
  page.route(`${ASK}/${question}`, (route) => route.fulfill({ status, json: json as object }));

const refusal = { error: { category: "forbidden", message: "eve may not list pods", fix: "Ask for a role." } };

const waits = (name: string, reason: string, change: string | null): Pending["pods"][number] => ({
  namespace: "shop",
  name,
  said: {
    reason,
    sentence: "0/3 nodes are available: 3 Insufficient cpu. Nearest: node-a1 needs 4 cpu, 3.2 free: short 800m.",
    decision: "01a20a36-4c94-7c29-ba35-d33514b3210c",
    at: 1,
  },
  change,
});
const pending: Pending = {
  waiting: 31,
  reasons: { SchedulingGated: 1, Unschedulable: 30 },
  pods: [
    ...Array.from({ length: 12 }, (_, at) => waits(`cart-${at}`, "Unschedulable", "it would fit with 3.2 cpu")),
    waits("batch-0", "SchedulingGated", null),
  ],
};

/** Three workloads in three zones, one edge too far. */
const group: Group = {
  namespace: "shop",
  name: "boutique",
  workloads: ["frontend", "cartservice", "a-workload-with-a-name-that-is-long-and-says-little"].map(
    (selector, order) => ({
      selector,
      order,
      pods: Array.from({ length: 3 }, (_, at) => ({
        pod: `shop/${selector}-${at}`,
        node: `node-${"abc"[at]}${order}`,
      })),
    }),
  ),
  edges: [
    { from: 0, to: 1, weight: 1, maxNetworkCost: 20, source: "declared", cost: 4, pairs: 9, tooFar: 0 },
    { from: 1, to: 2, weight: 3, maxNetworkCost: 5, source: "both", cost: 19, pairs: 9, tooFar: 2 },
    { from: 0, to: 2, weight: 1, source: "seen", cost: 0, pairs: 9, tooFar: 0 },
  ],
  cost: 23,
  ways: [],
  moreWays: 0,
};
/** The first pods of some workloads move to where the last one's second is. */
const moved = (which: number[], cost: number): Group => ({
  ...group,
  workloads: group.workloads.map((workload, index) => ({
    ...workload,
    pods: workload.pods.map((one, at) => (which.includes(index) && at === 0 ? { ...one, node: "node-b2" } : one)),
  })),
  edges: group.edges.map((edge, index) => (index === 1 ? { ...edge, cost: cost - 4, tooFar: 0 } : edge)),
  cost,
});
const moves = (which: number[]) =>
  which.map((index) => ({ pod: `shop/${group.workloads[index]?.selector}-0`, from: `node-a${index}`, to: "node-b2" }));
const proposal: Proposal = {
  now: group,
  better: [
    { kind: "moves", group: moved([2], 11), moves: moves([2]) },
    { kind: "anew", group: moved([0, 1, 2], 9), moves: moves([0, 1, 2]) },
  ],
  pods: 9,
  movable: 9,
  waits: false,
  allowed: false,
};
/** Two hundred pods on eleven nodes. */
const large = (): Group => {
  const pods = Array.from({ length: 200 }, (_, at) => ({ pod: `big/p-${at}`, node: `node-${at % 11}` }));
  const workloads = Array.from({ length: 8 }, (_, order) => ({
    selector: `part-${order}`,
    order,
    pods: pods.filter((_, at) => at % 8 === order),
  }));
  const ways = Array.from({ length: 40 }, (_, at) => {
    const [from, apart] = [at % 10, 1 + Math.floor(at / 10)];
    return { from: `node-${from}`, to: `node-${(from + apart) % 11}`, cost: 90 - at, tooFar: 0 };
  });
  return { ...group, namespace: "big", name: "large", workloads, ways, moreWays: 60, cost: 9_000 };
};

const ledger = (reserved: number, measured: number | null, saturated = false): Ledger => ({
  capacity: 10e9,
  usable: 9e9,
  reserved: reserved * 1e9,
  measured: measured === null ? null : measured * 1e9,
  taken: Math.max(reserved, measured ?? 0) * 1e9,
  saturated,
});
const interfaces: Interface[] = [
  { name: "edge-a-0", zone: "eu-west-1a", egress: ledger(4, 9.4, true), ingress: ledger(1, 1), unmeasured: null },
  {
    name: "edge-with-a-name-that-is-long-and-says-little-0",
    zone: "eu-west-1b",
    egress: ledger(2, null),
    ingress: null,
    unmeasured: "its last measurement is 1.5 min old",
  },
  ...Array.from({ length: 9 }, (_, at) => ({
    name: `core-${at}`,
    zone: null,
    egress: ledger(1, 0.5),
    ingress: ledger(0.1, 0),
    unmeasured: null,
  })),
];
const bandwidth: Bandwidth = { known: 11, nodes: 12, saturated: 1, interfaces };

for (const [size, viewport] of Object.entries(SIZES)) {
  for (const colorScheme of ["light", "dark"] as const) {
    test.describe(`${size}, ${colorScheme}`, () => {
      test.use({ viewport, colorScheme, contextOptions: { reducedMotion: "reduce" } });

      test("what waits and what is dear is shown, readable and whole", async ({ page }) => {
        await says(page, "pending", pending);
        await says(page, "groups", { groups: [group] });
        await says(page, "proposal", proposal);
        await says(page, "bandwidth", bandwidth);
        await page.goto("/scheduling");
        // What is proposed is asked for where it is looked at.
        await page.locator("article.group").scrollIntoViewIfNeeded();
        await expect(page.locator(".pair .drawing")).toHaveCount(2);
        await page.getByText("Both as a table").click();
        await expect(page.locator(".carries .nic").first()).toBeVisible();
        await expect(page.locator(".waits-for").first()).toContainText("30 pods");
        await expect(page.locator(".drawing path")).not.toHaveCount(0);
        await page.getByText("The whole manifest, as JSON").click();
        await page.getByRole("button", { name: "Where would it go?" }).click();
        await expect(page.locator(".answer .candidates")).toBeVisible();
        await accessible(page);
        expect(await misfits(page)).toEqual([]);
        // Names that are short stand close together.
        await page.getByRole("button", { name: "All placed anew" }).click();
        await expect(page.locator(".who-moves tbody tr")).toHaveCount(3);
        await accessible(page);
        expect(await misfits(page)).toEqual([]);
      });
    });
  }
}

test("pods that wait stand together by what would help them, and lead to their pages", async ({ page }) => {
  await says(page, "pending", pending);
  await page.goto("/scheduling");
  const first = page.getByRole("article", { name: "Unschedulable" });
  await expect(first.locator(".hint")).toHaveText("It would fit with 3.2 cpu. Checked by deciding again.");
  await expect(first.locator(".pods a")).toHaveCount(8);
  await first.getByRole("button", { name: "4 more" }).click();
  await expect(first.locator(".pods a")).toHaveCount(12);
  await expect(page.getByText("18 more pods in the counts")).toBeVisible();
  await expect(page.getByRole("article", { name: "SchedulingGated" })).toContainText("Remove the gates");
  await expect(first.getByRole("link", { name: "shop/cart-3" })).toHaveAttribute("href", "/subject/Pod/shop/cart-3/");
});

test("interfaces are drawn fullest first, say what is left out, and lead to their nodes", async ({ page }) => {
  await says(page, "bandwidth", bandwidth);
  await page.goto("/scheduling");
  const rows = page.locator(".carries li");
  await expect(rows).toHaveCount(8);
  await expect(rows.nth(0)).toContainText("4 of 10 Gbit/s reserved, 9.4 Gbit/s measured; saturated");
  await expect(rows.nth(1)).toContainText("its last measurement is 1.5 min old");
  await expect(rows.nth(1)).toContainText("capacity unknown");
  await expect(page.getByText("1 of 11 interfaces saturated")).toBeVisible();
  await expect(page.getByText("1 node without a known capacity")).toBeVisible();
  await expect(rows.nth(0).getByRole("link")).toHaveAttribute("href", "/subject/Node/-/edge-a-0/");
  await page.getByRole("button", { name: "Show all 11" }).click();
  await expect(rows).toHaveCount(11);
});

test("the section and its edges are walked by keyboard", async ({ page }) => {
  await says(page, "groups", { groups: [group] });
  await says(page, "proposal", { ...proposal, better: [] });
  await page.goto("/");
  await expect(page.locator(".link.live")).toBeVisible();
  await page.keyboard.press("g");
  await page.keyboard.press("c");
  await expect(page).toHaveURL(/\/scheduling$/);
  await expect(page.getByRole("link", { name: "Scheduling", exact: true })).toHaveAttribute("aria-current", "page");
  const rows = page.locator(".edges tbody tr");
  await expect(rows.first()).toContainText("cartservice");
  await expect(rows.first()).toContainText("5, 2 pairs too far, weight 3, declared and seen");
  const edge = rows.first().getByRole("button");
  await edge.focus();
  // Each of three nodes to each of three others.
  await expect(page.locator(".drawing path.near.far")).toHaveCount(9);
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  await expect(edge).toHaveAttribute("aria-pressed", "true");
  await expect(page.locator(".drawing path.near")).toHaveCount(9);
  await expect(page.locator(".drawing .touched")).not.toHaveCount(0);
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Enter");
  await expect(edge).toHaveAttribute("aria-pressed", "false");
});

test("an AppGroup is drawn as it runs and as it is proposed, with what changes and what it takes", async ({ page }) => {
  await says(page, "groups", { groups: [group] });
  await says(page, "proposal", proposal);
  await page.goto("/scheduling");
  const shop = page.getByRole("article", { name: "shop/boutique" });
  const [now, then] = [shop.locator("figure").nth(0), shop.locator("figure").nth(1)];
  await expect(now.locator("figcaption")).toHaveText("As it runs now 23");
  await expect(then.locator("figcaption")).toHaveText("As Keelson proposes 11");
  await expect(now.locator("li.moved")).toContainText("leaves");
  await expect(then.locator("li.moved")).toContainText("comes");
  await expect(now.locator("path.changed")).not.toHaveCount(0);
  await expect(then.locator("svg text")).toContainText(["7"]);
  // The same boxes in the same places, though one node is bare then.
  const places = (figure: typeof now) =>
    figure.locator(".node-box").evaluateAll((all) => all.map((box) => box.getAttribute("style")));
  expect(await places(now)).toEqual(await places(then));
  await expect(shop.locator(".facts")).toContainText("12 (52 %)");
  await expect(shop.locator(".facts")).toContainText("1 eviction");
  await expect(shop.locator(".becomes")).toContainText("keelson.dev/drift: move");
  const row = shop.locator(".edges tbody tr").first();
  await expect(row.locator("td").nth(0)).toContainText("19");
  await expect(row.locator("td").nth(1)).toContainText("7");
  // By keyboard: the other way, an edge in both pictures, and all of it as a table.
  await shop.getByRole("button", { name: "All placed anew" }).focus();
  await page.keyboard.press("Enter");
  await expect(then.locator("figcaption")).toHaveText("As Keelson proposes 9");
  await row.getByRole("button").focus();
  await expect(now.locator("path.near")).not.toHaveCount(0);
  await expect(then.locator("path.near")).not.toHaveCount(0);
  await shop.getByText("Both as a table").focus();
  await page.keyboard.press("Enter");
  const table = shop.getByRole("region", { name: "Where its pods are, and would be" });
  await expect(table.locator("tbody tr")).toHaveCount(9);
  await expect(table.locator("tr.near")).toContainText(["node-b2", "node-b2", "node-b2"]);
});

test("a large AppGroup is folded into nodes with counts", async ({ page }) => {
  await says(page, "groups", { groups: [large()] });
  await says(page, "proposal", { ...proposal, now: large(), better: [], pods: 200, movable: 200 });
  await page.goto("/scheduling");
  const big = page.getByRole("article", { name: "big/large" });
  await expect(big.locator(".node-box .folded").first()).toHaveText(/^\d+ pods? of \d+ workloads?$/);
  await expect(big.locator(".node-box li")).toHaveCount(0);
  await expect(big.locator(".drawing path")).toHaveCount(24);
  await expect(big.locator(".legend-note")).toContainText("76 cheaper lines not drawn");
  await expect(big.locator(".proposal-none")).toContainText("No place was found");
});

test("an AppGroup has a page of its own: its drawing, its conditions and its decisions", async ({ page }) => {
  await decisions(page, "limit=1&reason=GroupPlaced");
  await page.goto("/scheduling");
  await page.getByRole("link", { name: "online-boutique/online-boutique" }).click();
  await expect(page).toHaveURL(/\/subject\/AppGroup\.appgroup\.diktyo\.x-k8s\.io\/online-boutique\/online-boutique\/$/);
  await expect(page.locator(".sentence")).toContainText(/has 11 workloads and 15 dependencies; all of it counts/);
  await expect(page.locator(".drawing .node-box")).not.toHaveCount(0);
  await expect(page.locator(".conditions tbody tr")).toHaveCount(1);
  await expect(page.locator(".conditions tbody tr").first()).toContainText("All of this AppGroup is understood");
  await expect(page.locator(".timeline")).toContainText("placed as a unit");
  await accessible(page);
  // What is off in it has a condition each.
  await page.route("**/api/v1/subjects/AppGroup*/**", async (route) => {
    const json = await (await route.fetch()).json();
    const off = (kind: string, status: string) => ({
      kind,
      status,
      reason: "Found",
      message: "spec.workloads: is off.",
    });
    route.fulfill({
      json: {
        ...json,
        conditions: [off("Accepted", "False"), off("DependencyCycle", "True"), off("MissingCost", "False")],
      },
    });
  });
  await page.reload();
  await expect(page.locator(".conditions tr.off")).toHaveCount(2);
  await expect(page.locator(".conditions tr.off").nth(1)).toContainText("DependencyCycle");
  // The page asks again now and then: a question under way is not waited for.
  await page.unrouteAll({ behavior: "ignoreErrors" });
});

test("the evening's AppGroup says what it costs and what it cost when it was placed", async ({ page }) => {
  await decisions(page, "limit=1&reason=GroupPlaced");
  await page.goto("/scheduling");
  const shop = page.getByRole("article", { name: "online-boutique/online-boutique" });
  await expect(shop.locator(".group-cost")).toContainText(/15 edges cost \d+; placed as a unit they cost \d+/);
  // Where something better is known by now, pods that would move are a table beside it.
  await expect(shop.getByRole("table", { name: /^Edges of/ }).locator("tbody tr")).toHaveCount(15);
  await shop.getByRole("link", { name: "placed as a unit" }).click();
  await expect(page.locator(".sentence")).toContainText("placed as a unit");
});

test("other schedulers' choices are counted over the hour and the day", async ({ page }) => {
  await decisions(page, "limit=1&reason=OtherChoice");
  await page.goto("/scheduling");
  const compared = page.getByRole("region", { name: "Beside other schedulers" });
  await compared.getByRole("button", { name: "day" }).click();
  await expect(compared.locator(".compared-say")).toContainText(
    /\d+ % of \d+ choices? of other schedulers in the last day/,
  );
  await expect(compared.locator(".compared-chart .other[height]:not([height='0'])")).not.toHaveCount(0);
  await compared.locator(".lasts a").first().click();
  await expect(page.locator(".sentence")).toContainText("Bound to");
});

test("a pod is filled in, changed and asked about; nothing that cannot be read is sent", async ({ page }) => {
  const [{ subject }] = await decisions(page, "limit=1&reason=PodPlaced&namespace=online-boutique");
  await page.goto(`/subject/Pod/${subject.namespace}/${subject.name}/`);
  // Until the pod is there, nothing is typed over which it would come.
  let answer = () => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  await page.route(/ask\/pod\b/, (route) => answered.then(() => route.continue()));
  await page.getByRole("link", { name: "What if it were different?" }).click();
  const box = page.getByRole("form", { name: "The pod" });
  const cpu = box.getByLabel(/^cpu/);
  await expect(cpu).toBeDisabled();
  answer();
  await expect(cpu).toBeEnabled();
  await expect(cpu).toHaveValue(/^\d+m?$/);
  await cpu.fill("lots");
  await page.keyboard.press("Enter");
  await expect(box.getByRole("alert")).toHaveText("Write a quantity, such as 500m or 2.");
  const asked: unknown[] = [];
  page.on("request", (request) => request.url().endsWith("/whatif") && asked.push(request.postDataJSON()));
  await cpu.fill("4000");
  await page.keyboard.press("Enter");
  await expect(page.locator(".answer .sentence")).toContainText("nodes are available");
  await expect(page.locator(".answer .short").first()).toBeVisible();
  expect(asked).toHaveLength(1);
  await page.getByText("The whole manifest, as JSON").click();
  await page.getByLabel("Manifest as JSON").fill("{");
  await page.getByRole("button", { name: "Where would it go?" }).click();
  await expect(box.getByRole("alert")).toContainText("This is not JSON");
  expect(asked).toHaveLength(1);
  await page.getByLabel("Manifest as JSON").fill('{"spec": {"containers": [{"name": "c"}]}}');
  await page.getByRole("button", { name: "Where would it go?" }).click();
  await expect(page.locator(".answer .sentence")).toContainText(/Placed on|only/);
  expect(asked).toHaveLength(2);
});

test("what is empty says what would be there, and what may not be seen says what it needs", async ({ page }) => {
  await says(page, "pending", { waiting: 0, reasons: {}, pods: [] });
  await says(page, "groups", { groups: [] });
  await page.route("**/api/v1/decisions?verb=Compare**", (route) =>
    route.fulfill({ json: { decisions: [], partial: false } }),
  );
  await page.goto("/scheduling");
  await expect(page.getByText("No pod waits")).toBeVisible();
  await expect(page.getByText("No AppGroup", { exact: true })).toBeVisible();
  await says(page, "pending", refusal, 403);
  await says(page, "groups", refusal, 403);
  await page.reload();
  await expect(page.getByText("You may not see all pods")).toBeVisible();
  await expect(page.getByText("You may not see AppGroups")).toBeVisible();
  await accessible(page);
});
