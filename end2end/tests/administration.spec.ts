// An administrator begins on an empty world and makes all that producers and consumers need; then somebody's own account.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ADA, expect, password, test, type Portal } from "../fixtures/empty-world";

/// Goes to another page of administration.
async function tab(portal: Portal, name: string): Promise<void> {
  const tabs = portal.page.getByRole("navigation", { name: "Administration" });
  await tabs.getByRole("link", { name, exact: true }).click();
  await expect(portal.page.getByRole("heading", { level: 1, name, exact: true })).toBeVisible();
  await portal.settled();
}

/// Waits for what a form says it has done.
async function said(portal: Portal, notice: string | RegExp): Promise<void> {
  await expect(portal.page.getByRole("status").filter({ hasText: notice })).toBeVisible();
  await portal.settled();
}

async function makeDomain(portal: Portal, name: string, title: string): Promise<void> {
  await tab(portal, "Domains");
  const form = portal.page.locator("#domain-new");
  await form.getByLabel("Name").fill(name);
  await form.getByLabel("Title").fill(title);
  await form.getByLabel("What it is about").fill("What cars and workshops say.");
  await form.getByRole("button", { name: "Make the domain" }).click();
  await said(portal, `The domain ${name} is made.`);
}

async function makeTeam(portal: Portal, name: string, title: string): Promise<void> {
  await tab(portal, "Teams");
  const form = portal.page.locator("#team-new");
  await form.getByLabel("Name").fill(name);
  await form.getByLabel("Title").fill(title);
  await form.getByLabel("Domain").selectOption("vehicle");
  await form.getByLabel("Cost centre").fill("4711");
  await form.getByRole("button", { name: "Make the team" }).click();
  await said(portal, `The team ${name} is made.`);
}

async function makePerson(portal: Portal, name: string, title: string): Promise<void> {
  const { page } = portal;
  await page.getByText("Make an account").click();
  const form = page.locator("#person-new");
  await form.getByLabel("Name to sign in with").fill(name);
  await form.getByLabel("Name for others to read").fill(title);
  await form.getByLabel("E-mail").fill(`${name}@example.org`);
  await form.getByLabel("First password").fill(password());
  await form.getByLabel("Finance").check();
  await form.getByRole("button", { name: "Make the account" }).click();
  await said(portal, `The account ${name} is made.`);
}

test("an admin makes a domain, a team, a person, a member and a storage, and the doctor looks at it", async ({
  page,
  portal,
  world,
}) => {
  test.setTimeout(120_000);
  await portal.signIn(ADA);
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Admin" }).click();
  await expect(page).toHaveURL("/admin/people");
  await portal.settled();

  // What is not there yet says what to do about it.
  await tab(portal, "Teams");
  await page.getByRole("link", { name: "Make a domain" }).click();
  await expect(page).toHaveURL("/admin/domains");
  await portal.settled();
  await expect(page.getByText("No domain yet")).toBeVisible();
  await portal.audit();
  await makeDomain(portal, "vehicle", "Vehicle data");
  await expect(page).toHaveURL("/admin/domains/vehicle");
  await portal.audit();
  await page.getByLabel("Title").fill("Vehicles & workshops");
  await page.getByRole("button", { name: "Change the domain" }).click();
  await said(portal, "The domain vehicle is changed.");
  await expect(page.getByRole("heading", { level: 1, name: "Vehicles & workshops" })).toBeVisible();

  await portal.open("/admin/people");
  await makeTeam(portal, "aftersales", "After-Sales");
  await expect(page.getByText("Nobody belongs to it yet")).toBeVisible();
  await portal.audit();

  await portal.open("/admin/people");
  await makePerson(portal, "jonas", "Jonas Weber");
  await expect(page).toHaveURL("/admin/people/jonas");
  await expect(page.getByLabel("Finance")).toBeChecked();
  await portal.audit();

  await portal.open("/admin/teams/aftersales");
  const member = page.locator("#member-new");
  await member.getByLabel("Person").fill("nobody");
  await member.getByRole("button", { name: "Add the member" }).click();
  await expect(portal.alert()).toContainText("Nobody signs in with that name");
  await portal.settled();
  await expect(member.getByLabel("Person")).toHaveValue("nobody");
  await expect(member.getByLabel("Person")).toHaveAttribute("aria-invalid", "true");
  await member.getByLabel("Person").fill("jonas");
  await member.getByLabel("Role").selectOption("producer");
  await member.getByRole("button", { name: "Add the member" }).click();
  await said(portal, "jonas is a producer of aftersales.");
  await portal.audit();

  await portal.open("/admin/storages");
  await expect(page.getByText("No storage yet")).toBeVisible();
  mkdirSync(join(world.clouds, "az_weu"));
  const storage = page.locator("#storage-new");
  await storage.getByLabel("Name", { exact: true }).fill("az_weu");
  await storage.getByLabel("Cloud").selectOption("azure");
  await storage.getByLabel("Region").fill("westeurope");
  await storage.getByLabel("Address").fill(`file://${world.clouds}/az_weu`);
  await storage.getByLabel("Replicas may be made here").check();
  await portal.audit();
  await storage.getByRole("button", { name: "Make the storage" }).click();
  await said(portal, "The storage az_weu is made.");
  await expect(page.getByText("Simulated")).toBeVisible();

  await expect(page.getByLabel("Also try writing")).toBeChecked();
  await page.getByRole("button", { name: "Run the doctor" }).click();
  await said(portal, "The doctor has looked at az_weu.");
  const found = page.getByRole("region", { name: "What the doctor found" });
  await expect(found.getByRole("row", { name: /^Write an object Fine/ })).toBeVisible();
  await expect(found.getByRole("row", { name: /^Refuse a second writer Fine/ })).toBeVisible();
  await expect(page.getByRole("region", { name: "Least policy" })).not.toBeEmpty();
  await portal.audit();
  await portal.open("/admin/storages/az_weu");
  await expect(found, "told once").toHaveCount(0);

  // The new producer sees what was made, and may staff the team.
  await portal.signIn("jonas");
  await portal.open("/account");
  await page.getByRole("link", { name: "After-Sales" }).click();
  await expect(page).toHaveURL("/admin/teams/aftersales");
  await portal.settled();
  await expect(page.getByText("Add a member")).toBeVisible();
  await expect(page.getByText("Change the team")).toHaveCount(0);
  await portal.audit();
});

test("a storage that is refused keeps what was typed, and nothing secret", async ({ page, portal }) => {
  const hostile = `"><script>document.title = "taken"</script>`;
  await portal.signIn(ADA);
  await portal.open("/admin/storages");
  const form = page.locator("#storage-new");
  await form.getByLabel("Name", { exact: true }).fill("s3_eu");
  await form.getByLabel("Region").fill("Frankfurt am Main");
  await form.getByLabel("Address").fill(`s3://lake/${hostile}`);
  await form.getByText("Keys of AWS").click();
  await form.getByLabel("Access key id").fill("AKIATYPED");
  await form.getByLabel("Secret access key").fill("hunter2hunter2");
  await form.getByRole("button", { name: "Make the storage" }).click();
  await expect(portal.alert()).toContainText("Region: Not a region");
  await portal.settled();
  await expect(form.getByLabel("Region")).toHaveAttribute("aria-invalid", "true");
  await expect(form.getByLabel("Region")).toHaveValue("Frankfurt am Main");
  await expect(form.getByLabel("Address")).toHaveValue(`s3://lake/${hostile}`);
  await expect(form.getByLabel("Secret access key")).toHaveValue("");
  await expect(page).toHaveTitle("Storages · Entrepôt");
  expect(await page.content()).not.toContain("hunter2");
  expect(await page.content()).not.toContain("AKIATYPED");
  await portal.audit();
});

test("an account is deactivated, activated again and given a password", async ({ page, portal }) => {
  await portal.signIn(ADA);
  await portal.open("/admin/people");
  await makePerson(portal, "mara", "Mara Lindqvist");
  await page.getByText("Deactivate the account").click();
  await page.getByRole("button", { name: "Deactivate mara" }).click();
  await said(portal, "mara is deactivated");
  await page.getByRole("button", { name: "Activate mara again" }).click();
  await said(portal, "mara is active");

  await page.getByText("Set a password").click();
  await page.getByLabel("New password").fill("short");
  await page.getByRole("button", { name: "Set the password" }).click();
  await expect(portal.alert()).toContainText("At least 10 characters.");
  await portal.settled();
  await expect(page.getByLabel("New password")).toHaveValue("");
  await page.getByLabel("New password").fill("a password of ten and more");
  await page.getByRole("button", { name: "Set the password" }).click();
  await said(portal, "mara has a new password");
  await portal.audit();
});

test("one’s own password is changed and a token is made, used and revoked", async ({ page, portal, request, world }) => {
  const changed = "another long password";
  await portal.signIn(ADA);
  await page.locator("summary").first().click();
  await page.getByRole("link", { name: "Your account" }).click();
  await expect(page).toHaveURL("/account");
  await portal.settled();
  await page.getByLabel("Current password").fill("not this one");
  await page.getByLabel("New password", { exact: true }).fill(changed);
  await page.getByLabel("New password again").fill(changed);
  await page.getByRole("button", { name: "Change the password" }).click();
  await expect(portal.alert()).toContainText("This is not the current password.");
  await portal.settled();
  await portal.audit();
  await page.getByLabel("Current password").fill(password());
  await page.getByLabel("New password", { exact: true }).fill(changed);
  await page.getByLabel("New password again").fill(changed);
  await page.getByRole("button", { name: "Change the password" }).click();
  await said(portal, "Your password is changed.");

  await page.getByRole("navigation", { name: "Your account" }).getByRole("link", { name: "Tokens" }).click();
  await expect(page.getByText("No token yet")).toBeVisible();
  await portal.settled();
  await page.getByText("Make a token").click();
  await page.getByLabel("What it is for").fill("nightly report");
  await page.getByRole("button", { name: "Make the token" }).click();
  const shown = page.getByRole("region", { name: "The new token" });
  await expect(shown).toBeVisible();
  await portal.settled();
  await portal.audit();
  const token = (await shown.innerText()).trim();
  expect(token).toMatch(/^entrepot_st_/);
  const me = () => request.get(`${world.url}/api/v1/me`, { headers: { authorization: `Bearer ${token}` } });
  expect((await (await me()).json()).name).toBe(ADA);

  await portal.open("/account/tokens");
  expect(await page.content()).not.toContain(token);
  await page.getByRole("row", { name: /nightly report/ }).locator("summary").click();
  await page.getByLabel("Write nightly report to confirm").fill("nightly report");
  await page.getByRole("button", { name: "Revoke nightly report" }).click();
  await said(portal, "The token is revoked");
  expect((await me()).status()).toBe(401);
});

test("where there is no price yet, one of a route and one of a service are added", async ({ page, portal }) => {
  await portal.signIn(ADA);
  await portal.open("/admin/rates");
  await expect(page.getByText("No price of a route yet")).toBeVisible();
  await portal.audit();
  await page.getByText("Add a price of a route").click();
  const route = page.locator("#rate-new");
  await route.getByLabel("From", { exact: true }).fill("aws:*");
  await route.getByLabel("To", { exact: true }).fill("azure:*");
  await route.getByLabel("Price").fill("0.09");
  await route.getByLabel("Source").fill("list price");
  await route.getByRole("button", { name: "Add the price" }).click();
  await said(portal, "The price from aws:* to azure:* is added.");
  await expect(page.getByText("No price of a service yet")).toBeVisible();

  await page.getByText("Add a price of a service").click();
  const service = page.locator("#service-rate-new");
  await service.getByLabel("Service").selectOption("compute");
  await service.getByLabel("Price").fill("dear");
  await service.getByLabel("Source").fill("agreed");
  await service.getByRole("button", { name: "Add the price" }).click();
  await expect(portal.alert()).toContainText("Price: ");
  await portal.settled();
  await expect(service.getByLabel("Price")).toHaveValue("dear");
  await service.getByLabel("Price").fill("0.20");
  await service.getByRole("button", { name: "Add the price" }).click();
  await said(portal, "The price of compute is added.");
  await expect(page.getByRole("region", { name: "Prices of services" })).toContainText("0.2");
  await portal.audit();
});
