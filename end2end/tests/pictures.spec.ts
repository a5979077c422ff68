// Pictures and the figures below them: from place to place, saved against the baseline, freshness over time; files, and the parts
// of a statement's line.
import { expect, JONAS, test } from "../fixtures/portal";

const NARROW = { width: 360, height: 740 };

test("flows lead from clouds to the regions of one pair, narrow too", async ({ page, portal }) => {
  await portal.signIn(JONAS);
  await portal.open("/costs");
  const map = page.getByRole("group", { name: /^Moved from place to place/ });
  await expect(map).toBeVisible();
  const table = page.getByRole("region", { name: "Moved from place to place" });
  await table.getByRole("link").first().click();
  await portal.settled();
  await expect(page).toHaveURL(/\/costs\?from=[a-z]+&to=[a-z]+#flows$/);
  await expect(map).toBeVisible();
  await expect(table.getByRole("link")).toHaveCount(0);
  await portal.audit();
  await page.setViewportSize(NARROW);
  await portal.audit();
  // Letters are not scaled away.
  const size = await map.locator("text").first().evaluate((text) => text.getBoundingClientRect().height);
  expect(size).toBeGreaterThan(10);
  await page.getByRole("link", { name: "All clouds" }).click();
  await expect(page).toHaveURL("/costs#flows");
  // The bands themselves lead there, too.
  await map.getByRole("link").last().focus();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/costs\?from=[a-z]+&to=[a-z]+#flows$/);
});

test("on paper a page is its content: whole, open, and with nothing to press", async ({ page, portal }) => {
  await portal.as(JONAS);
  await portal.open("/costs");
  const figures = page.getByRole("region", { name: "Charges by day and product" });
  await expect(figures).toBeHidden();
  // A4 within the browser's margins.
  await page.setViewportSize({ width: 718, height: 1_000 });
  for (const path of ["/costs", "/products/vehicle-workshop-visits?tab=freshness", "/products/vehicle-workshop-visits", "/replicas"]) {
    await page.emulateMedia({ media: "screen" });
    await portal.open(path);
    await page.emulateMedia({ media: "print" });
    await expect(page.getByRole("navigation", { name: "Main" }), path).toBeHidden();
    await expect(page.getByRole("button"), path).toHaveCount(0);
    await expect(page.locator(".button:visible, .pager:visible, .crumbs:visible, .site-footer:visible"), path).toHaveCount(0);
    const wide = await page.evaluate(() => {
      const room = document.documentElement.clientWidth;
      const shown = [...document.querySelectorAll("main table, main figure svg, main pre")];
      return shown.filter((one) => one.getBoundingClientRect().right > room + 1).map((one) => one.outerHTML.slice(0, 200));
    });
    expect(wide, path).toEqual([]);
  }
  await page.emulateMedia({ media: "screen" });
  await portal.open("/costs");
  await page.emulateMedia({ media: "print" });
  await expect(figures).toBeVisible();
  const file = page.getByRole("link", { name: "All charges as CSV" });
  const address = await file.evaluate((link) => getComputedStyle(link, "::after").content);
  expect(address).toContain("/costs/charges.csv");
});

test("what replicas saved is drawn with the baseline that it is measured against", async ({ page, portal }) => {
  await portal.signIn(JONAS);
  await portal.open("/costs");
  const drawn = page.getByRole("img", { name: /Baseline: a full load of today's size every \d+ days/ });
  await expect(drawn.first()).toBeVisible();
});

test("commits, syncs and delays of a product and of a replica", async ({ page, portal }) => {
  await portal.signIn(JONAS);
  await portal.open("/products/vehicle-workshop-visits?tab=freshness");
  const source = page.getByRole("group", { name: /at the source: \d+ commits? seen/ });
  await expect(source.first()).toBeVisible();
  await page.getByText("The figures as a table").click();
  await expect(page.getByRole("region", { name: "Commits, syncs and delays" })).toBeVisible();
  await portal.audit();
  await page.setViewportSize(NARROW);
  await portal.audit();
  await page.getByRole("region", { name: "Replicas" }).getByRole("link").first().click();
  await portal.settled();
  await expect(page.getByRole("heading", { level: 2, name: "Over time" })).toBeVisible();
  await expect(page.getByRole("group", { name: / in .*: \d+ syncs?/ }).first()).toBeVisible();
  await portal.audit();
});

test("what was moved is divided by product or by consumer, as the address says", async ({ page, portal }) => {
  await portal.signIn(JONAS);
  await portal.open("/costs");
  await page.getByRole("navigation", { name: "Divided by" }).getByRole("link", { name: "By consumer" }).click();
  await portal.settled();
  await expect(page).toHaveURL("/costs?by=consumer");
  await expect(page.getByRole("group", { name: /^Bytes by day and consumer/ })).toBeVisible();
  await page.getByText("The figures as a table").first().click();
  await expect(page.getByRole("region", { name: "Charges by day and consumer" })).toBeVisible();
  await portal.audit();
});

test("charges and statements come as files", async ({ page, portal }) => {
  await portal.signIn(JONAS);
  await portal.open("/costs");
  const arrives = page.waitForEvent("download");
  await page.getByRole("link", { name: "All charges as CSV" }).click();
  const file = await arrives;
  expect(file.suggestedFilename()).toBe("charges.csv");
  const stream = await file.createReadStream();
  const text = Buffer.concat(await stream.toArray()).toString();
  expect(text.split("\n")[0]).toContain("day,kind,product,team");
});

test("a line of a statement opens what it was made of, and that is the line", async ({ page, portal }) => {
  await portal.signIn(JONAS);
  await portal.open("/costs");
  const months = page.getByRole("region", { name: "Statements" }).getByRole("link");
  const paths: string[] = [];
  for (const month of await months.all()) paths.push((await month.getAttribute("href"))!);
  const lines = page.getByRole("region", { name: "Lines of the statement" }).getByRole("link");
  for (const path of paths) {
    await portal.open(path);
    if ((await lines.count()) > 0) break;
  }
  const transfer = lines.filter({ hasText: "→" }).first();
  await transfer.click();
  await portal.settled();
  await expect(page).toHaveURL(/\/costs\/[a-z]+\/\d{4}-\d\d\/line\?kind=transfer&/);
  const whole = (await page.locator(".lead").innerText()).split(",")[0];
  const parts = page.getByRole("region", { name: "Runs and days of the line" });
  await expect(parts.getByRole("row", { name: /^Together/ })).toContainText(whole);
  await portal.audit();
});
