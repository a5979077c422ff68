// What a page does once the browser has added to it: answers in place, times of the reader's own zone.
import { expect, test } from "../fixtures/portal";

test("a refused form is answered in place, at its first wrong field", async ({ page, portal }) => {
  await portal.signIn();
  await portal.open("/products/vehicle-workshop-visits/request");
  let loads = 0;
  page.on("load", () => loads++);
  const purpose = page.getByLabel("Purpose, in one word");
  await purpose.fill("Not a word!");
  await page.getByLabel("Purpose, in a sentence or two").fill("Why it comes back.");
  await page.getByRole("button", { name: "Send the request" }).click();
  await expect(portal.alert()).toBeInViewport();
  await expect(purpose).toBeFocused();
  await expect(purpose).toHaveValue("Not a word!");
  await expect(page.getByLabel("Purpose, in a sentence or two")).toHaveValue("Why it comes back.");
  expect(loads).toBe(0);
});

test("a form that is under way is not sent twice", async ({ page, portal }) => {
  await portal.signIn();
  await portal.open("/products/vehicle-workshop-visits/request");
  let sent = 0;
  let go = () => {};
  const held = new Promise<void>((resolve) => (go = resolve));
  await page.route("**/_fn/app/api/access/create_request", async (route) => {
    sent++;
    await held;
    await route.continue();
  });
  await page.getByLabel("Purpose, in one word").fill("Not a word!");
  await page.getByLabel("Purpose, in a sentence or two").fill("Once.");
  const send = page.getByRole("button", { name: "Send the request" });
  await send.click();
  await send.click();
  go();
  await expect(portal.alert()).toBeVisible();
  expect(sent).toBe(1);
});

test("copying says so", async ({ page, portal, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await portal.signIn();
  await portal.open("/products/vehicle-workshop-visits");
  await page.getByRole("button", { name: "Copy the name" }).click();
  await expect(page.getByRole("button", { name: "Copied the name" })).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe("vehicle-workshop-visits");
});

test.describe("far from UTC", () => {
  test.use({ timezoneId: "Asia/Kolkata" });

  test("instants are the reader's own, with UTC on hover", async ({ page, portal }) => {
    await portal.signIn();
    await portal.open("/access");
    await page.getByRole("link", { name: /^vehicle-warranty-claims for / }).first().click();
    await portal.settled();
    const at = page.locator("time[data-shown=minute]").first();
    await expect(at).toContainText("UTC+05:30");
    await expect(at).toHaveAttribute("title", /^\d{4}-\d\d-\d\d \d\d:\d\d UTC$/);
  });
});

test("the bundle's module, script and style may be kept for ever", async ({ page, portal }) => {
  const seen = new Map<string, Record<string, string>>();
  page.on("response", (response) => {
    const url = new URL(response.url());
    if (url.pathname.startsWith("/pkg/")) seen.set(url.pathname, response.headers());
  });
  await portal.open("/");
  expect([...seen.keys()].sort()).toEqual(["/pkg/entrepot.css", "/pkg/entrepot.js", "/pkg/entrepot.wasm"]);
  for (const [path, headers] of seen) {
    expect(headers["cache-control"], path).toContain("immutable");
  }
});
