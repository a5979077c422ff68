// The same form in two windows: who comes second is told what was changed meanwhile, and nothing that was typed is lost.
import { ADA, expect, test } from "../fixtures/empty-world";

test("who saves a domain second is told in the form what the first has changed", async ({ page, portal, context }) => {
  test.setTimeout(90_000);
  await portal.signIn(ADA);
  await portal.open("/admin/domains");
  const made = page.locator("#domain-new");
  await made.getByLabel("Name").fill("vehicle");
  await made.getByLabel("Title").fill("Vehicle data");
  await made.getByRole("button", { name: "Make the domain" }).click();
  await expect(page).toHaveURL("/admin/domains/vehicle");
  await portal.settled();

  const other = await context.newPage();
  await other.goto("/admin/domains/vehicle");
  await other.getByLabel("Title").fill("Vehicles");
  await other.getByRole("button", { name: "Change the domain" }).click();
  await expect(other.getByText("The domain vehicle is changed.")).toBeVisible();
  await other.close();

  const form = page.locator("#domain");
  const told = form.getByRole("status");
  await form.getByLabel("What it is about").fill("Workshops, parts and claims.");
  await form.getByRole("button", { name: "Change the domain" }).click();
  await expect(portal.alert()).toContainText("The domain was changed meanwhile");
  await portal.settled();
  await expect(told).toContainText("Title was “Vehicle data” and is “Vehicles” now.");
  await expect(told).not.toContainText("What it is about was");
  if (portal.scripted) await expect(form.locator("[data-meanwhile]")).toBeFocused();
  await expect(form.getByLabel("What it is about")).toHaveValue("Workshops, parts and claims.");
  await expect(form.getByLabel("Title")).toHaveValue("Vehicle data");
  await portal.auditEverywhere();

  await form.getByLabel("Title").fill("Vehicles");
  await form.getByRole("button", { name: "Change the domain" }).click();
  await expect(page.getByText("The domain vehicle is changed.")).toBeVisible();
  await portal.settled();
  await expect(page.getByRole("heading", { level: 1, name: "Vehicles" })).toBeVisible();
  await expect(page.getByText("Workshops, parts and claims.").first()).toBeVisible();
  await expect(told).toHaveCount(0);
});
