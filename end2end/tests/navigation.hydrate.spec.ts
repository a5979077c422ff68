// What only the hydrated portal does: step from page to page in place.
import { expect, test } from "../fixtures/portal";

test("a step inside the portal loads no page and does what a load would have done", async ({ page, portal }) => {
  await portal.open("/sign-in");
  await portal.submitSignIn("mara", "wrong");
  await expect(page.getByRole("alert")).toBeVisible();

  let loads = 0;
  page.on("load", () => loads++);
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Home" }).click();
  await expect(page).toHaveTitle("A data exchange · Entrepôt");
  await expect(page.getByRole("main")).toBeFocused();
  await page.getByRole("main").getByRole("link", { name: "Sign in" }).click();
  await expect(page).toHaveTitle("Sign in · Entrepôt");
  await expect(page.getByRole("alert"), "the refusal belonged to the page before").toHaveCount(0);
  expect(loads).toBe(0);
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
