import { expect, test } from "../fixtures/portal";

test("signing out ends the session everywhere", async ({ page, portal, context }) => {
  await portal.signIn();
  const before = await context.cookies();
  await page.locator("summary").click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("banner").getByRole("link", { name: "Sign in" })).toBeVisible();
  await portal.settled();

  // The page before is not shown from memory.
  await page.goBack();
  await portal.settled();
  await expect(page.getByRole("heading", { name: "Welcome, mara" })).toHaveCount(0);

  // And the cookie of before is worth nothing.
  await context.clearCookies();
  await context.addCookies(before);
  await portal.open("/");
  await expect(page.getByRole("heading", { name: "Welcome, mara" })).toHaveCount(0);
});
