// Pictures answer: what is pointed at or has the focus is told below them, and arrows lead through them. What works without JavaScript
// is in pictures.spec.ts.
import type { Locator, Page } from "@playwright/test";
import { expect, JONAS, test } from "../fixtures/portal";

const FRESHNESS = "/products/vehicle-workshop-visits?tab=freshness";

function readout(page: Page, picture: Locator): Locator {
  return page.locator("figure").filter({ has: picture }).locator("[data-readout]");
}

/// The largest of what is drawn: it can be hit.
async function largest(parts: Locator): Promise<Locator> {
  const sizes = await parts.evaluateAll((all) =>
    all.map((part) => part.getBoundingClientRect()).map(({ width, height }) => width * height),
  );
  return parts.nth(sizes.indexOf(Math.max(...sizes)));
}

/// What a part of a picture is told by.
async function label(part: Locator): Promise<string> {
  return (await part.getAttribute("aria-label"))!;
}

test("what the mouse points at is told, its day is marked, and it leads on", async ({ page, portal }) => {
  await portal.as(JONAS);
  await portal.open("/costs");
  const picture = page.getByRole("group", { name: /^Bytes by day and product/ });
  const told = readout(page, picture);
  const summary = await told.innerText();
  const line = picture.locator("[data-crosshair]");
  await expect(line).toHaveCSS("visibility", "hidden");
  const bar = await largest(picture.getByRole("link"));
  await bar.hover();
  expect(await label(bar)).toMatch(/^\d{4}-\d\d-\d\d, [a-z0-9_-]+: [\d.]+ k?[A-Z]*B$/);
  await expect(told).toHaveText(await label(bar));
  await expect(line).toHaveCSS("visibility", "visible");
  await expect(line).toHaveAttribute("x1", (await bar.getAttribute("data-at"))!);
  await page.getByRole("heading", { level: 1 }).hover();
  await expect(told).toHaveText(summary);
  await expect(line).toHaveCSS("visibility", "hidden");
  const href = (await bar.getAttribute("href"))!;
  expect(href).toMatch(/^\/products\/.+\?tab=cost$/);
  await bar.click();
  await expect(page).toHaveURL(href);
});

test("arrows lead through a picture, and Enter opens what they came to", async ({ page, portal }) => {
  await portal.as(JONAS);
  await portal.open(FRESHNESS);
  const source = page.getByRole("group", { name: /at the source: \d+ commits seen/ }).first();
  const told = readout(page, source);
  const first = source.locator("[data-at][tabindex='0']");
  await expect(first).toHaveCount(1);
  await first.focus();
  const newest = await label(page.locator(":focus"));
  expect(newest).toMatch(/^Commit .* UTC, .* at the source: version \d+$/);
  await expect(told).toHaveText(`${newest}. Arrow keys lead to what is beside it.`);
  await page.keyboard.press("ArrowLeft");
  const before = page.locator(":focus");
  await expect(before).not.toHaveAttribute("aria-label", newest);
  await expect(told).toHaveText(await label(before));
  await page.keyboard.press("End");
  await expect(told).toHaveText(newest);
  // The next row is a copy's, whose marks are runs.
  await page.keyboard.press("ArrowDown");
  await expect(page.locator(":focus")).toHaveAttribute("aria-label", /^(Sync|Late) /);
  const sync = page.locator("a.chart__part--2").last();
  await sync.focus();
  await expect(told).toHaveText(await label(sync));
  const href = (await sync.getAttribute("href"))!;
  expect(href).toMatch(/^\/runs\//);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(href);
});

test("flows are told one by one, each reached by the tabulator", async ({ page, portal }) => {
  await portal.as(JONAS);
  await portal.open("/costs");
  const map = page.getByRole("group", { name: /^Moved from place to place/ });
  const bands = map.locator("[data-at]");
  await expect(map.locator("[data-at][tabindex='0']")).toHaveCount(await bands.count());
  const last = bands.last();
  await last.focus();
  await expect(readout(page, map)).toContainText(await label(last));
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/costs\?from=[a-z]+&to=[a-z]+#flows$/);
});

test("an entry of the legend dims what it does not stand for", async ({ page, portal }) => {
  await portal.as(JONAS);
  await portal.open(FRESHNESS);
  const commit = page.locator(".chart__part--1").first();
  const sync = page.locator(".chart__part--2").first();
  const entry = page.getByRole("listitem").filter({ hasText: "A sync was done" });
  await expect(commit).toHaveCSS("opacity", "1");
  await entry.hover();
  await expect(commit).toHaveCSS("opacity", "0.2");
  await expect(sync).toHaveCSS("opacity", "1");
  await page.getByRole("heading", { level: 1 }).hover();
  await expect(commit).toHaveCSS("opacity", "1");
  await entry.focus();
  await expect(commit).toHaveCSS("opacity", "0.2");
  await page.getByRole("main").focus();
  await expect(commit).toHaveCSS("opacity", "1");
  await portal.auditEverywhere();
});
