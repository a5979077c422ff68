// A producer finds tables in a storage, describes them, sees what publishing does, and does it.
import { cpSync } from "node:fs";
import { join } from "node:path";
import { expect, JONAS, test } from "../fixtures/portal";

const STORAGE = join(process.env.E2E_DATA ?? "", "clouds/aws_eu-central-1/aftersales");

test("tables found in a storage are described, planned and registered", async ({ page, portal }) => {
  const fresh = Date.now().toString(36);
  cpSync(join(STORAGE, "warranty/claims"), join(STORAGE, "lab", fresh), { recursive: true });

  await portal.signIn(JONAS);
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Register" }).click();
  await portal.settled();
  await page.getByLabel("Storage").selectOption("aws_eu");
  await page.getByLabel("Folder").fill(`lab/${fresh}`);
  await page.getByRole("button", { name: "Look for tables" }).click();
  await expect(page.getByText("Found: 1 table. Describe what it is below.")).toBeVisible();
  await portal.settled();
  const declaration = page.getByLabel("Declaration");
  await expect(declaration).toHaveValue(new RegExp(`path: lab/${fresh}`));
  await portal.audit();

  // It cannot be registered as it was found, and the answer says what is missing.
  const found = await declaration.inputValue();
  const plan = page.getByRole("button", { name: "Show what publishing does" });
  await plan.click();
  await expect(portal.alert()).toContainText("classification");
  await portal.settled();
  await expect(declaration).toHaveValue(found);

  // A draft, so that the catalog of the other specs stays as it is.
  const name = `vehicle-lab-${fresh}`;
  const described = found
    .replace("vehicle-lab:", `${name}:`)
    .replace(/classification: .*/, "classification: internal\n    state: draft")
    .replace(/title: .*/, "title: Claims for the laboratory");
  await declaration.fill(described);
  await plan.click();
  await expect(page.getByText(`create product ${name}`)).toBeVisible();
  await portal.settled();
  await portal.audit();
  await page.getByRole("button", { name: "Publish", exact: true }).click();
  await expect(page).toHaveURL(`/products/${name}`);
  await expect(page.getByText("It is as declared.")).toBeVisible();
  await expect(page.getByRole("heading", { level: 1, name: "Claims for the laboratory" })).toBeVisible();
});

test("who produces for no team is told how to come to", async ({ page, portal }) => {
  await portal.signIn();
  await portal.open("/register");
  await expect(page.getByText("You are a producer of no team")).toBeVisible();
  await expect(page.getByRole("button", { name: "Look for tables" })).toHaveCount(0);
  await portal.audit();
});
