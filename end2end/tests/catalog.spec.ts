import { expect, JONAS, MARA, NOOR, password, test } from "../fixtures/portal";

test("every filter is in the address, and the back button goes back", async ({ page, portal }) => {
  await portal.signIn();
  await portal.open("/catalog");
  await expect(page).toHaveTitle("Catalog · Entrepôt");
  const products = page.getByRole("article");
  const all = await products.count();
  expect(all).toBeGreaterThanOrEqual(3);
  const filters = page.getByRole("navigation", { name: "Filters" });
  await filters.getByRole("link", { name: /^Google Cloud/ }).click();
  await expect(page).toHaveURL("/catalog?cloud=gcp");
  await expect(products).toHaveCount(1);
  await expect(filters.getByRole("link", { name: /^Google Cloud/ })).toHaveAttribute("aria-current", "true");
  await filters.getByRole("link", { name: /^Public/ }).click();
  await expect(page).toHaveURL("/catalog?cloud=gcp&classification=public");
  await page.getByRole("link", { name: "Remove the filter Cloud: Google Cloud" }).click();
  await expect(page).toHaveURL("/catalog?classification=public");
  await page.goBack();
  await expect(page).toHaveURL("/catalog?cloud=gcp&classification=public");
  await page.goBack();
  await page.goBack();
  await expect(page).toHaveURL("/catalog");
  await expect(products).toHaveCount(all);
});

test("an address with filters shows what it says", async ({ page, portal }) => {
  await portal.signIn();
  await portal.open("/catalog?q=visits&access=active&sort=name");
  await expect(page.getByRole("searchbox", { name: "Search products" })).toHaveValue("visits");
  await expect(page.getByRole("article")).toHaveCount(1);
  const card = page.getByRole("article");
  await expect(card).toContainText("You have access");
  await expect(card).toContainText("AWS eu-central-1 (simulated)");
  await expect(card).toContainText(/Last commit.*(ago|now)/);
  await expect(page.getByRole("navigation", { name: "Order" }).getByRole("link", { name: "A–Z" })).toHaveAttribute(
    "aria-current",
    "true",
  );
});

test("nothing found says what to do", async ({ page, portal }) => {
  await portal.signIn();
  await portal.open("/catalog?q=nothingofthatname&cloud=aws");
  await expect(page.getByText("No product fits")).toBeVisible();
  await page.getByRole("link", { name: "Search without filters" }).click();
  await expect(page).toHaveURL("/catalog?q=nothingofthatname");
  await page.getByRole("link", { name: "Show all products" }).click();
  await expect(page).toHaveURL("/catalog");
  await expect(page.getByRole("article")).not.toHaveCount(0);
});

test("a hostile address is only a search", async ({ page, portal }) => {
  await portal.signIn();
  await portal.open(`/catalog?q=${encodeURIComponent(`"><script>document.title="taken"</script>`)}`);
  await expect(page).toHaveTitle("Catalog · Entrepôt");
  await expect(page.getByText("No product fits")).toBeVisible();
});

test("strangers are led to sign in and come back to their search", async ({ page, portal, baseURL }) => {
  await portal.openMissing("/catalog?q=visits", baseURL!);
  await page.getByRole("main").getByRole("link", { name: "Sign in" }).click();
  await expect(page).toHaveURL("/sign-in?next=%2Fcatalog%3Fq%3Dvisits");
  await portal.settled();
  await portal.submitSignIn(MARA, password());
  await expect(page).toHaveURL("/catalog?q=visits");
  await expect(page.getByRole("article")).toHaveCount(1);
});

test("a product tells each what they may see", async ({ page, portal }) => {
  const tabs = page.getByRole("navigation", { name: "About this product" });
  await portal.signIn();
  await portal.open("/products/vehicle-workshop-visits?tab=access");
  await expect(page.getByRole("region", { name: "Grants" })).toContainText("rnd_weu");
  await expect(page.getByRole("region", { name: "Grants" })).toContainText("Which trouble codes come back");
  await expect(tabs.getByRole("link", { name: "YAML" })).toHaveCount(0);
  await tabs.getByRole("link", { name: "History" }).click();
  await expect(page.getByRole("region", { name: "History" })).toContainText(/New data|Access given|Published/);
  await expect(page.getByRole("link", { name: /audit log/ })).toHaveCount(0);

  await portal.signIn(JONAS);
  await portal.open("/products/vehicle-workshop-visits");
  await tabs.getByRole("link", { name: "YAML" }).click();
  await expect(page.getByRole("region", { name: "Declaration" })).toContainText("path: workshop/visits");
  await tabs.getByRole("link", { name: "Usage and cost" }).click();
  await expect(page).toHaveURL("/products/vehicle-workshop-visits?tab=cost");
  await expect(page.getByRole("region", { name: "Saved by replicas" })).toContainText("%");
  await expect(page.getByRole("region", { name: "Charges" })).toContainText("USD");
  await expect(
    page.getByRole("region", { name: "Calls of reading clients" }).or(page.getByText("No call to show")),
  ).toBeVisible();
  await tabs.getByRole("link", { name: "Freshness" }).click();
  await expect(page.getByRole("region", { name: "Sync runs" })).toContainText("→");

  await portal.signIn(NOOR);
  await portal.open("/products/vehicle-workshop-visits?tab=history");
  await expect(page.getByRole("region", { name: "History" })).toContainText(/New data|Access given|Published/);
  await page.getByRole("link", { name: /audit log/ }).click();
  await expect(page.getByRole("region", { name: "Audit log" })).toContainText("ProductPublish");
});

test("what is not there says so", async ({ page, portal, baseURL }) => {
  await portal.signIn();
  for (const path of ["/products/nowhere", "/requests/nowhere", "/products/nowhere/request"]) {
    const response = await portal.openMissing(path, baseURL!);
    expect(response.status(), path).toBe(404);
    await expect(page.getByRole("heading", { level: 1, name: "Nothing is landed here" })).toBeVisible();
  }
});
