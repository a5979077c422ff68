// What only the hydrated catalog does: search as one types, in place.
import { expect, test } from "../fixtures/portal";

test("typing searches without loading the page, and one step back leads to before", async ({ page, portal }) => {
  await portal.signIn();
  await portal.open("/catalog");
  let loads = 0;
  page.on("load", () => loads++);
  const words = page.getByRole("searchbox", { name: "Search products" });
  await words.pressSequentially("warranty", { delay: 20 });
  await expect(page).toHaveURL("/catalog?q=warranty");
  await expect(page.getByRole("article").first()).toContainText("Warranty claims");
  await expect(words).toBeFocused();
  await words.pressSequentially(" claims", { delay: 20 });
  await expect(page).toHaveURL("/catalog?q=warranty%20claims");
  await page.goBack();
  await expect(page).toHaveURL("/catalog");
  await expect(words).toHaveValue("");
  expect(loads).toBe(0);
});

test("Enter searches at once", async ({ page, portal }) => {
  await portal.signIn();
  await portal.open("/catalog");
  await page.getByRole("searchbox", { name: "Search products" }).fill("parts");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL("/catalog?q=parts");
});

test("a recipient chosen is priced at once", async ({ page, portal }) => {
  await portal.signIn();
  await portal.open("/products/vehicle-workshop-visits/request");
  await page.getByLabel("Recipient", { exact: true }).selectOption("rnd_weu");
  await expect(page).toHaveURL("/products/vehicle-workshop-visits/request?recipient=rnd_weu");
  await expect(page.getByRole("radio", { name: "Replica" })).toBeEnabled();
  await page.getByLabel("Purpose, in a sentence or two").fill("Stays when the prices change.");
  await page.getByLabel("Recipient", { exact: true }).selectOption("rnd_ew3");
  await expect(page).toHaveURL("/products/vehicle-workshop-visits/request?recipient=rnd_ew3");
  await expect(page.getByLabel("Purpose, in a sentence or two")).toHaveValue("Stays when the prices change.");
});

test("what cannot be reached is told, and what was typed stays", async ({ page, portal, baseURL }) => {
  await portal.signIn();
  await portal.open("/products/vehicle-workshop-visits/request");
  await page.getByLabel("Purpose, in one word").fill("forecast");
  await page.getByLabel("Purpose, in a sentence or two").fill("Kept without a network.");
  portal.refuses("access/create_request", baseURL!);
  await page.route("**/_fn/app/api/access/create_request", (route) => route.abort());
  await page.getByRole("button", { name: "Send the request" }).click();
  await expect(portal.alert()).toContainText("The server could not be reached. Please try again.");
  await expect(page.getByLabel("Purpose, in a sentence or two")).toHaveValue("Kept without a network.");
  await expect(page.getByRole("button", { name: "Send the request" })).toBeEnabled();
});
