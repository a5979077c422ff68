import { expect, test } from "../fixtures/portal";

test("strangers see what the exchange is and how to get in", async ({ page, portal }) => {
  const response = await portal.open("/");
  expect(response.status()).toBe(200);
  await expect(page).toHaveTitle("A data exchange · Entrepôt");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(/Landed once,\s*read by everybody/);
  await expect(page.getByRole("listitem").filter({ has: page.getByRole("heading", { level: 3 }) })).toHaveCount(3);
  await page.getByRole("main").getByRole("link", { name: "Sign in" }).click();
  await expect(page).toHaveURL("/sign-in");
  await expect(page).toHaveTitle("Sign in · Entrepôt");
});

test("members see their teams", async ({ page, portal }) => {
  await portal.signIn();
  await expect(page).toHaveTitle("Home · Entrepôt");
  await expect(page.getByRole("heading", { level: 2, name: "Your teams" })).toBeVisible();
  await expect(page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Home" })).toHaveAttribute(
    "aria-current",
    "page",
  );
  await expect(page.getByRole("banner").getByRole("link", { name: "Sign in" })).toHaveCount(0);
});
