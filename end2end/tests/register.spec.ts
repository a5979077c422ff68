// A producer finds tables in a storage, describes them step by step, sees what publishing does, and does it.
import { cpSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { expect, JONAS, test, type Portal } from "../fixtures/portal";
import { fresh } from "../fixtures/work";

const STORAGE = join(process.env.E2E_DATA ?? "", "clouds/aws_eu-central-1/aftersales");

/// Tables that nobody has registered, below a folder of their own.
function tables(folder: string, ...names: string[]): void {
  for (const name of names) cpSync(join(STORAGE, "warranty/claims"), join(STORAGE, "lab", folder, name), { recursive: true });
}

async function look(page: Page, portal: Portal, folder: string): Promise<void> {
  await page.getByLabel("Storage").selectOption("aws_eu");
  await page.getByLabel("Folder").fill(folder);
  await page.getByRole("button", { name: "Look for tables" }).click();
  await portal.settled();
}

/// Presses a button that leads to another step.
async function go(page: Page, portal: Portal, button: string, step: string): Promise<void> {
  await page.getByRole("button", { name: button, exact: true }).click();
  await expect(page.locator("[aria-current=step]")).toContainText(step);
  await portal.settled();
}

test("several tables become one product, step by step", async ({ page, portal }) => {
  const word = fresh();
  const name = `vehicle-lab-${word}`;
  const title = `Claims of ${word}: 100%25 "sure" & <b>`;
  tables(word, "claims", "again");

  await portal.signIn(JONAS);
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Register" }).click();
  await portal.settled();
  await look(page, portal, `lab/${word}`);
  await expect(page.getByText("Found: 2 tables.")).toBeVisible();
  const boxes = page.getByRole("checkbox");
  await expect(boxes).toHaveCount(2);
  for (const box of await boxes.all()) await box.uncheck();
  await page.getByRole("button", { name: "Describe them" }).click();
  await expect(portal.alert()).toContainText("Tick at least one table.");
  await portal.settled();
  for (const box of await boxes.all()) await expect(box).toBeChecked();
  await go(page, portal, "Describe them", "What they are");

  // What can be known is proposed.
  const nameField = page.getByLabel("Name", { exact: true });
  const titleField = page.getByLabel("Title", { exact: true });
  await expect(nameField).toHaveValue(`vehicle-${word}`);
  await expect(page.getByLabel(`Name of lab/${word}/claims`)).toHaveValue("claims");
  await titleField.fill(title);
  await page.getByLabel("Description").fill("For the laboratory.\n\nSecond paragraph, größe.");
  await page.getByLabel("Classification").selectOption("internal");
  await page.getByLabel(`Name of lab/${word}/again`).fill("renewed");

  // Back and on again loses nothing.
  await go(page, portal, "Back", "Which tables");
  await go(page, portal, "Describe them", "What they are");
  await expect(titleField).toHaveValue(title);
  await expect(page.getByLabel(`Name of lab/${word}/again`)).toHaveValue("renewed");

  // What is wrong is told at its field, and the rest stays.
  await nameField.fill("workshop-claims");
  await page.getByRole("button", { name: "Say who gets access" }).click();
  await expect(portal.alert()).toContainText("It begins with the domain of the owning team");
  await portal.settled();
  await expect(nameField).toHaveAttribute("aria-invalid", "true");
  await expect(nameField).toHaveValue("workshop-claims");
  await expect(titleField).toHaveValue(title);
  await nameField.fill(name);
  await go(page, portal, "Say who gets access", "Who gets access");

  // A draft, so that the catalog of the other specs stays as it is.
  await page.getByLabel("When it is published").selectOption("draft");
  await page.getByLabel("Readers may read older versions").check();
  await go(page, portal, "Review it", "Review and publish");
  const declaration = page.getByLabel("Declaration");
  await expect(declaration).toHaveValue(/name: renewed/);
  await expect(declaration).toHaveValue(/history: true/);

  // The browser's own way back leads over the steps, too.
  await page.goBack();
  await expect(page.locator("[aria-current=step]")).toContainText("Who gets access");
  await portal.settled();
  await page.goForward();
  await expect(page.locator("[aria-current=step]")).toContainText("Review and publish");
  await portal.settled();
  await page.getByRole("list", { name: "Steps" }).getByRole("link", { name: "What they are" }).click();
  await portal.settled();
  await expect(titleField).toHaveValue(title);
  await go(page, portal, "Say who gets access", "Who gets access");
  await expect(page.getByLabel("Readers may read older versions")).toBeChecked();
  await go(page, portal, "Review it", "Review and publish");

  await page.getByRole("button", { name: "Show what publishing does" }).click();
  await expect(page.getByText(`create product ${name}`)).toBeVisible();
  await portal.settled();
  await portal.audit();
  await page.getByRole("button", { name: "Publish", exact: true }).click();
  await expect(page).toHaveURL(`/products/${name}`);
  await expect(page.getByText("It is as declared.")).toBeVisible();
  await expect(page.getByRole("heading", { level: 1, name: title })).toBeVisible();
});

test("an address leads as far as it holds what is needed", async ({ page, portal }) => {
  await portal.as(JONAS);
  await portal.open("/register?step=review&storage=aws_eu&team=aftersales&table=lab/nowhere&classification=personal&policy=auto");
  await expect(page.locator("[aria-current=step]")).toContainText("Who gets access");
  await expect(page.getByLabel("Who decides on requests")).toHaveAttribute("aria-invalid", "true");
  await expect(portal.alert()).toContainText("People decide on personal data");
  await portal.open("/register?step=tables&storage=nowhere&team=aftersales");
  await expect(page.locator("[aria-current=step]")).toContainText("Where the tables are");
  await expect(portal.alert()).toContainText("There is no such storage.");
  await portal.open("/register?step=review");
  await expect(page.locator("[aria-current=step]")).toContainText("Where the tables are");
  await expect(page.getByLabel("Storage")).toHaveAttribute("aria-invalid", "true");
});

test("all that was found is described as text, planned and registered", async ({ page, portal }) => {
  const word = fresh();
  tables(word, "");

  await portal.signIn(JONAS);
  await portal.open("/register");
  await look(page, portal, `lab/${word}`);
  await expect(page.getByText("Found: 1 table.")).toBeVisible();
  await page.getByRole("button", { name: "Write all of them as YAML" }).click();
  await expect(page.getByText("Found: 1 table. Describe what it is below.")).toBeVisible();
  await portal.settled();
  const declaration = page.getByLabel("Declaration");
  await expect(declaration).toHaveValue(new RegExp(`path: lab/${word}`));
  await portal.audit();

  // It cannot be registered as it was found, and the answer says what is missing.
  const found = await declaration.inputValue();
  const plan = page.getByRole("button", { name: "Show what publishing does" });
  await plan.click();
  await expect(portal.alert()).toContainText("classification");
  await portal.settled();
  await expect(declaration).toHaveValue(found);

  const name = `vehicle-lab-${word}`;
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
