// Every component in every state. The style guide exists in development builds only, which is what tests run.
import { expect, test } from "../fixtures/portal";

test("components", async ({ page, portal }) => {
  expect((await portal.open("/styleguide")).status()).toBe(200);
  for (const shown of ["Changed meanwhile:", "You read nothing yet", "Parked: a person has to look", "Usage and cost"]) {
    await expect(page.getByText(shown)).toBeVisible();
  }
  await expect(page.getByLabel("Mode", { exact: true })).toHaveValue("replica");
  await expect(page.getByLabel("Auditor")).toBeChecked();
  await expect(page.getByRole("region", { name: "Lines for pandas" })).toBeVisible();
  await portal.auditEverywhere();
  await page.getByRole("button", { name: "Revoke the grant" }).click();
  await expect(page.getByRole("dialog", { name: "Revoke the grant?" })).toBeVisible();
  await portal.auditEverywhere();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
});

test("data-theme overrides the system", async ({ page, portal }) => {
  await page.emulateMedia({ colorScheme: "dark" });
  await portal.open("/styleguide");
  const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const dark = await ground();
  await page.locator("html").evaluate((root) => root.setAttribute("data-theme", "light"));
  expect(await ground()).not.toBe(dark);
  await page.emulateMedia({ colorScheme: "light" });
  await page.locator("html").evaluate((root) => root.setAttribute("data-theme", "dark"));
  expect(await ground()).toBe(dark);
});

test("a text area keeps hostile text", async ({ page, portal }) => {
  await portal.open("/styleguide");
  await expect(page.getByLabel("Purpose")).toHaveValue("Warranty analysis of <all> brands & years");
});
