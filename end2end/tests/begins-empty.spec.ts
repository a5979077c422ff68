// On a world that begins empty: a producer registers a product, a consumer asks for it, the producer decides, the consumer reads
// it and both see what that handed out; then the ways round: a rejection, asked again and renewed. What the administrator makes
// before is `administration.spec.ts`'s, and is made here without its pages.
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { APIRequestContext } from "@playwright/test";
import { ADA, expect, password, test, type EmptyWorld, type Portal } from "../fixtures/empty-world";
import { sent } from "../fixtures/forms";
import { JONAS, MARA } from "../fixtures/portal";

const PRODUCT = "vehicle-warranty-claims";
const RECIPIENT = "rnd_weu";
/// The table of the demo world that stands for a producer's own.
const CLAIMS = join(process.env.E2E_DATA ?? "", "clouds/aws_eu-central-1/aftersales/warranty/claims");

/// A domain, two teams with somebody in each, a storage with a table in it, a price.
async function prepare(portal: Portal, world: EmptyWorld): Promise<void> {
  await portal.signIn(ADA);
  const make = (call: string, fields: Record<string, string>) => {
    const named = Object.entries(fields).map(([name, value]) => [`[${name}]`, value]);
    return sent(portal, call, Object.fromEntries(named), world.url);
  };
  await make("organisation/create_domain", { name: "vehicle", title: "Vehicle data" });
  for (const [team, title, person, called, role] of [
    ["aftersales", "After-Sales", JONAS, "Jonas Weber", "producer"],
    ["rnd", "Research & Development", MARA, "Mara Lindqvist", "consumer"],
  ]) {
    await make("organisation/create_team", { name: team, domain: "vehicle", title, cost_center: "4711" });
    await make("people/create_person", { name: person, title: called, password: password() });
    await make("organisation/set_member", { team, person, role });
  }
  const root = join(world.clouds, "aws_eu");
  cpSync(CLAIMS, join(root, "warranty/claims"), { recursive: true });
  await make("storages/create_storage", { name: "aws_eu", cloud: "aws", region: "eu-central-1", url: `file://${root}` });
  const today = new Date().toISOString().slice(0, 10);
  const price = { price: "0.09", unit: "GB", currency: "USD", valid_from: today, source: "list price" };
  await make("billing/create_rate", { from: "aws:eu-central-1", to: "azure:*", ...price });
}

/// Presses a button that leads to another step of the wizard.
async function step(portal: Portal, button: string, next: string): Promise<void> {
  await portal.page.getByRole("button", { name: button, exact: true }).click();
  await expect(portal.page.locator("[aria-current=step]")).toContainText(next);
  await portal.settled();
}

/// As the producer: from the storage's folder to the product that everybody finds.
async function register(portal: Portal): Promise<void> {
  const { page } = portal;
  await portal.signIn(JONAS);
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Register" }).click();
  await portal.settled();
  await page.getByLabel("Storage").selectOption("aws_eu");
  await step(portal, "Look for tables", "Which tables");
  await expect(page.getByText("Found: 1 table.")).toBeVisible();
  await step(portal, "Describe them", "What they are");
  await page.getByLabel("Name", { exact: true }).fill(PRODUCT);
  await page.getByLabel("Title", { exact: true }).fill("Warranty claims");
  await page.getByLabel("Classification").selectOption("internal");
  await step(portal, "Say who gets access", "Who gets access");
  await step(portal, "Review it", "Review and publish");
  await page.getByRole("button", { name: "Show what publishing does" }).click();
  await expect(page.getByText(`create product ${PRODUCT}`)).toBeVisible();
  await portal.settled();
  await page.getByRole("button", { name: "Publish", exact: true }).click();
  await expect(page).toHaveURL(`/products/${PRODUCT}`);
  await expect(page.getByRole("heading", { level: 1, name: "Warranty claims" })).toBeVisible();
  await portal.settled();
}

/// As the consumer, on the page of the request: how, and what it is for. Answers the request's address.
async function ask(portal: Portal, mode: "Live" | "Replica" = "Live"): Promise<string> {
  const { page } = portal;
  // Where there is no choice, it is made.
  if (mode === "Live") await expect(page.getByRole("radio", { name: "Live" })).toBeChecked();
  else await page.getByRole("radio", { name: mode }).check();
  await page.getByLabel("Purpose, in one word").fill("quality");
  await page.getByLabel("Purpose, in a sentence or two").fill("Which repairs come back?");
  await page.getByRole("button", { name: "Send the request" }).click();
  await expect(page.getByText("The request is sent.")).toBeVisible();
  await portal.settled();
  return page.url();
}

/// As the producer: the one request in the inbox.
async function decide(portal: Portal, verdict: "Approve" | "Reject", note: string): Promise<void> {
  const { page } = portal;
  await portal.signIn(JONAS);
  await page.getByRole("link", { name: "Open the inbox" }).click();
  await portal.settled();
  const waiting = page.getByRole("article", { name: `${PRODUCT} for ${RECIPIENT}` });
  await expect(waiting).toContainText("Which repairs come back?");
  await expect(waiting).toContainText(/\d USD a month/);
  await waiting.getByLabel("Note").fill(note);
  await waiting.getByRole("button", { name: verdict }).click();
  await expect(waiting).toHaveCount(0);
  await portal.settled();
}

/// Reads one of the table's files as a client of the protocol does, with nothing but the profile.
async function read(request: APIRequestContext, world: EmptyWorld, token: string): Promise<void> {
  const query = `/delta-sharing/shares/${PRODUCT}/schemas/default/tables/claims/query`;
  const headers = { authorization: `Bearer ${token}` };
  const answer = await request.post(world.url + query, { headers, data: {} });
  expect(answer.status(), await answer.text()).toBe(200);
  const lines = (await answer.text()).trim().split("\n").map((line) => JSON.parse(line));
  const url = lines.flatMap((line) => (line.file ? [line.file.url as string] : []))[0];
  const file = await request.get(url);
  expect(file.status()).toBe(200);
  expect((await file.body()).subarray(0, 4).toString()).toBe("PAR1");
}

test("registered, asked for, approved, read, and seen in what it hands out", async ({
  page,
  portal,
  request,
  world,
}) => {
  test.setTimeout(120_000);
  await prepare(portal, world);
  await register(portal);

  // Somebody else finds it, and asks with a recipient that is made on the way.
  await portal.signIn(MARA);
  await portal.open("/catalog?q=warranty");
  await page.getByRole("article").getByRole("link", { name: "Warranty claims" }).click();
  await portal.settled();
  await page.getByRole("link", { name: "Ask for access" }).click();
  await portal.settled();
  await expect(page.getByText("Make your first recipient")).toBeVisible();
  const recipient = page.locator("#recipient-new");
  await recipient.getByLabel("Name").fill(RECIPIENT);
  await recipient.getByLabel("Cloud").selectOption("azure");
  await recipient.getByLabel("Region").fill("westeurope");
  await recipient.getByRole("button", { name: "Make the recipient" }).click();
  await expect(page.getByText(`The recipient ${RECIPIENT} is made.`)).toBeVisible();
  await portal.settled();
  const asked = await ask(portal);
  await expect(page.getByText("Waits for the owning team.")).toBeVisible();

  await decide(portal, "Approve", "Good luck with it.");

  await portal.signIn(MARA);
  await portal.open(asked);
  await expect(page.getByText("Good luck with it.")).toBeVisible();
  await portal.until(page.getByText("Read as you would read it"));
  await page.getByRole("link", { name: "Profile and ready-made lines" }).click();
  await portal.settled();
  const machines = page.getByRole("region", { name: RECIPIENT, exact: true });
  const arrives = page.waitForEvent("download");
  await machines.getByRole("button", { name: "Download the profile" }).click();
  const stream = await (await arrives).createReadStream();
  const profile = JSON.parse(Buffer.concat(await stream.toArray()).toString());
  expect(profile.endpoint).toContain(`${world.url}/delta-sharing`);
  await read(request, world, profile.bearerToken);

  // What that handed out is seen by who pays for it, and priced when the day is over.
  await portal.signIn(JONAS);
  await portal.open(`/products/${PRODUCT}?tab=cost`);
  await portal.until(page.getByRole("region", { name: "Calls of reading clients" }).getByText(RECIPIENT).first());
  await portal.open("/costs");
  await expect(page.getByText("Nothing was charged yet")).toBeVisible();
  await expect(page.getByText("Today’s bytes are priced when the day is over, in UTC.")).toBeVisible();
  await portal.audit();
  // And in its history, with whose access it is.
  await portal.open(`/products/${PRODUCT}?tab=history`);
  const history = page.getByRole("region", { name: "History" });
  await expect(history.getByRole("row", { name: /Access given/ })).toContainText(RECIPIENT);
  await expect(history.getByRole("row", { name: /Published/ })).toBeVisible();
});

test("rejected with a reason, asked again and renewed", async ({ page, portal, world }) => {
  test.setTimeout(120_000);
  await prepare(portal, world);
  await register(portal);
  await portal.signIn(MARA);
  const fields = { product: PRODUCT, name: RECIPIENT, team: "rnd", cloud: "azure", region: "westeurope" };
  const named = Object.entries(fields).map(([name, value]) => [`[${name}]`, value]);
  await sent(portal, "access/create_recipient", Object.fromEntries(named), world.url);
  await portal.open(`/products/${PRODUCT}/request`);
  const first = await ask(portal);

  await decide(portal, "Reject", "Say which parts you mean.");
  await portal.signIn(MARA);
  await portal.open(first);
  await expect(page.getByText("Say which parts you mean.")).toBeVisible();

  await portal.open(`/products/${PRODUCT}/request`);
  const second = await ask(portal);
  expect(second).not.toBe(first);
  await decide(portal, "Approve", "Now it is clear.");

  // Renewing is asking again, with what one has.
  await portal.signIn(MARA);
  await portal.open("/access");
  const machines = page.getByRole("region", { name: RECIPIENT, exact: true });
  await machines.getByRole("link", { name: "Renew" }).click();
  await portal.settled();
  await expect(page).toHaveURL(`/products/${PRODUCT}/request?recipient=${RECIPIENT}&mode=live`);
  const third = await ask(portal);
  expect(third).not.toBe(second);
});

/// Changes bytes of a replica's data without changing its length: only its rows can tell.
function damage(folder: string): void {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  const [name] = files.filter((file) => file.endsWith(".parquet") && !file.includes("_delta_log"));
  const file = join(folder, name);
  const bytes = readFileSync(file);
  for (let at = 20; at < 60; at += 1) bytes[at] ^= 0x55;
  writeFileSync(file, bytes);
}

test("a replica is watched, found to differ, taken from its readers and mended", async ({ page, portal, world }) => {
  test.setTimeout(120_000);
  await prepare(portal, world);
  const make = (call: string, fields: Record<string, string>) => {
    const named = Object.entries(fields).map(([name, value]) => [`[${name}]`, value]);
    return sent(portal, call, Object.fromEntries(named), world.url);
  };
  const root = join(world.clouds, "az_weu");
  mkdirSync(root);
  const place = { name: "az_weu", cloud: "azure", region: "westeurope", url: `file://${root}`, replicas: "yes" };
  await make("storages/create_storage", place);
  await register(portal);
  await portal.signIn(MARA);
  await make("access/create_recipient", { product: PRODUCT, name: RECIPIENT, team: "rnd", cloud: "azure", region: "westeurope" });
  await portal.open(`/products/${PRODUCT}/request`);
  await ask(portal, "Replica");
  await decide(portal, "Approve", "Have a copy.");

  // The producer watches it being copied: what crossed, of what a full copy takes.
  await portal.open("/replicas");
  await page.getByRole("link", { name: PRODUCT }).click();
  await portal.settled();
  const state = page.getByRole("region", { name: "Tables of the replica" }).getByText("Ready");
  await portal.until(state);
  await page.getByRole("region", { name: "Sync runs" }).getByRole("link").first().click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Sync of claims");
  await portal.settled();
  await portal.audit();

  // The administrator has every row compared; what differs is served to nobody until a sync has mended it.
  damage(root);
  await portal.signIn(ADA);
  const replica = `/replicas/${PRODUCT}@az_weu`;
  await portal.open(replica);
  await page.getByRole("button", { name: "Check every row" }).click();
  await portal.until(page.getByText("In quarantine, not served, until a sync mends it").first());
  await portal.audit();
  await portal.open(`/products/${PRODUCT}?tab=access`);
  await portal.until(page.getByRole("row", { name: new RegExp(RECIPIENT) }).getByText("Not working"));
  await portal.open(replica);
  await page.getByRole("button", { name: "Sync now" }).click();
  await portal.until(page.getByRole("region", { name: "Tables of the replica" }).getByText("Ready"));
  await portal.open(`/products/${PRODUCT}?tab=access`);
  await portal.until(page.getByRole("row", { name: new RegExp(RECIPIENT) }).getByText("Active"));
});
