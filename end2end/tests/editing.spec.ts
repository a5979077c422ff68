// A producer changes a product, meets somebody who did so at the same time, publishes and retires it by its name.
import { expect, test } from "../fixtures/portal";
import { draft } from "../fixtures/work";

test("a product is changed, published and retired; who comes second is told what changed", async ({ page, portal, context }) => {
  test.setTimeout(90_000);
  const name = await draft(portal, "Claims to be changed");
  await page.getByRole("link", { name: "Change it" }).click();
  await portal.settled();
  await expect(page.getByRole("heading", { level: 1, name: "Change Claims to be changed" })).toBeVisible();
  await portal.audit();

  // In another window the same product gets another title.
  const other = await context.newPage();
  await other.goto(`/products/${name}/edit`);
  await other.getByLabel("Title").fill("Claims, changed elsewhere");
  await other.getByRole("button", { name: "Save" }).click();
  await expect(other.getByText("The product is changed.")).toBeVisible();
  await other.close();

  const form = page.locator("#product-edit");
  await form.getByLabel("Description").fill("What was repaired, and why.");
  await form.getByRole("button", { name: "Save" }).click();
  await expect(portal.alert()).toContainText("The product was changed meanwhile");
  await portal.settled();
  await expect(page.getByText("Title was “Claims to be changed” and is “Claims, changed elsewhere” now.")).toBeVisible();
  await expect(form.getByLabel("Description")).toHaveValue("What was repaired, and why.");
  await portal.audit();
  await form.getByLabel("Title").fill("Claims, changed by both");
  await form.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("The product is changed.")).toBeVisible();
  await portal.settled();
  await expect(page.getByRole("heading", { level: 1, name: "Claims, changed by both" })).toBeVisible();

  await portal.open(`/products/${name}/edit`);
  const publish = page.locator("#product-publish");
  await publish.getByLabel(`Write ${name} to confirm`).fill("vehicle");
  await publish.getByRole("button", { name: "Publish it" }).click();
  await expect(portal.alert()).toContainText(`Write ${name} here to confirm.`);
  await portal.settled();
  await publish.getByLabel(`Write ${name} to confirm`).fill(name);
  await publish.getByRole("button", { name: "Publish it" }).click();
  await expect(page.getByText("The product is published.")).toBeVisible();

  await portal.open(`/products/${name}/edit`);
  await page.getByText("This cannot be undone").click();
  const retire = page.locator("#product-retire");
  await retire.getByLabel("Why").fill("It was for a test.");
  await retire.getByLabel(`Write ${name} to confirm`).fill(name);
  await retire.getByRole("button", { name: "Retire it" }).click();
  await expect(page.getByText("The product is retired.")).toBeVisible();
  await expect(page.getByRole("link", { name: "Change it" })).toHaveCount(0);
});
