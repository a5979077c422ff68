// From finding a product to reading it, by two people, and the ways back.
import { expect, JONAS, test, type Portal } from "../fixtures/portal";

const PRODUCT = "vehicle-workshop-visits";

/// A name that no other run has used.
function fresh(prefix: string): string {
  return `${prefix}_${Date.now().toString(36)}`;
}

/// Makes a recipient on the way to a request.
async function makeRecipient(portal: Portal, name: string): Promise<void> {
  const { page } = portal;
  await page.getByText("Make another recipient").click();
  const form = page.locator("#recipient-new");
  await form.getByLabel("Name").fill(name);
  await form.getByLabel("Cloud").selectOption("onprem");
  await form.getByLabel("Region").fill("laboratory");
  await form.getByRole("button", { name: "Make the recipient" }).click();
  await expect(page.getByText(`The recipient ${name} is made.`)).toBeVisible();
  await portal.settled();
  await expect(page).toHaveURL(`/products/${PRODUCT}/request?recipient=${name}`);
}

/// Asks for live reading; answers the request's address.
async function ask(portal: Portal, recipient: string): Promise<string> {
  const { page } = portal;
  await portal.open(`/products/${PRODUCT}/request`);
  await makeRecipient(portal, recipient);
  await expect(page.getByRole("radio", { name: "Live" })).toBeChecked();
  await expect(page.getByRole("radio", { name: "Replica" })).toBeDisabled();
  await page.getByLabel("Purpose, in one word").fill("quality");
  await page.getByLabel("Purpose, in a sentence or two").fill("Which repairs come back?");
  await page.getByRole("button", { name: "Send the request" }).click();
  await expect(page.getByText("The request is sent.")).toBeVisible();
  await portal.settled();
  await expect(page).toHaveURL(/\/requests\/[0-9a-f-]{36}$/);
  return page.url();
}

function waiting(portal: Portal, recipient: string) {
  return portal.page.getByRole("article", { name: `${PRODUCT} for ${recipient}` });
}

test("search, product, request, approval by another person, verified, read", async ({ page, portal }) => {
  test.setTimeout(120_000);
  const recipient = fresh("lab");
  await portal.signIn();
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Catalog" }).click();
  await portal.settled();
  const words = page.getByRole("searchbox", { name: "Search products" });
  await words.fill("workshop");
  if (!portal.scripted) await page.getByRole("button", { name: "Search" }).click();
  await expect(page).toHaveURL("/catalog?q=workshop");
  await page.getByRole("article").getByRole("link", { name: "Workshop visits" }).click();
  await expect(page).toHaveURL(`/products/${PRODUCT}`);
  await portal.settled();
  await expect(page).toHaveTitle("Workshop visits · Entrepôt");
  await page.getByRole("navigation", { name: "About this product" }).getByRole("link", { name: "Schema" }).click();
  await expect(page).toHaveURL(`/products/${PRODUCT}?tab=schema`);
  await expect(page.getByRole("rowheader", { name: "visit_id" })).toBeVisible();
  await page.getByRole("link", { name: "Ask again" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Ask for access to Workshop visits" })).toBeVisible();
  const request = await ask(portal, recipient);
  await expect(page.getByText("Waits for the owning team.")).toBeVisible();

  await portal.signIn(JONAS);
  await page.getByRole("link", { name: "Open the inbox" }).click();
  await portal.settled();
  const mine = waiting(portal, recipient);
  await expect(mine).toContainText("Which repairs come back?");
  await expect(mine).toContainText(/\d USD a month/);
  await expect(mine).toContainText("cost centre 4711");
  await mine.getByLabel("Note").fill("Good luck with it.");
  await mine.getByRole("button", { name: "Approve" }).click();
  await expect(page.getByText(`Approved: ${recipient} gets ${PRODUCT}.`)).toBeVisible();
  await expect(mine).toHaveCount(0);
  await expect(page).toHaveURL("/approvals");

  await portal.signIn();
  await portal.open(request);
  await expect(page.getByText("Good luck with it.")).toBeVisible();
  await portal.until(page.getByText("Read as you would read it"));
  await page.getByRole("link", { name: "Profile and ready-made lines" }).click();
  await portal.settled();
  await expect(page.getByRole("region", { name: "Lines for pandas to read default.visits" })).toContainText(
    `delta_sharing.load_as_pandas("${recipient}.share#${PRODUCT}.default.visits")`,
  );
  const powerBi = page.locator(".client", { has: page.getByRole("heading", { level: 3, name: "Power BI" }) });
  await expect(powerBi.first()).toContainText(`${PRODUCT} › default › visits`);

  const machines = page.getByRole("region", { name: recipient, exact: true });
  const arrives = page.waitForEvent("download");
  await machines.getByRole("button", { name: "Download the profile" }).click();
  const file = await arrives;
  expect(file.suggestedFilename()).toBe(`${recipient}.share`);
  const stream = await file.createReadStream();
  const profile = JSON.parse(Buffer.concat(await stream.toArray()).toString());
  expect(profile.bearerToken).toMatch(/^entrepot_/);
  await portal.until(machines.getByText("Profile downloaded"));
  expect(await page.content()).not.toContain(profile.bearerToken);

  // Renewing is asking again, with what one has.
  await expect(machines.getByRole("link", { name: "Renew" })).toHaveAttribute(
    "href",
    `/products/${PRODUCT}/request?recipient=${recipient}&mode=live`,
  );
  await machines.getByText("Give up").click();
  await machines.getByLabel("Why").fill("The study is over.");
  // What cannot be had back is confirmed by its name; what was typed beside it stays.
  const name = machines.getByLabel(`Write ${PRODUCT} to confirm`);
  await name.fill("yes");
  await machines.getByRole("button", { name: "End this access" }).click();
  await expect(machines.getByText(`Write ${PRODUCT} here to confirm.`)).toBeVisible();
  await expect(machines.getByLabel("Why")).toHaveValue("The study is over.");
  await portal.settled();
  await name.fill(PRODUCT);
  await machines.getByRole("button", { name: "End this access" }).click();
  await expect(page.getByText(`The access of ${recipient} to ${PRODUCT} has ended.`)).toBeVisible();
  await expect(machines.getByText("Nothing is granted to it.")).toBeVisible();
});

test("a rejection needs a reason, and the requester reads it", async ({ page, portal }) => {
  const recipient = fresh("lab");
  await portal.signIn();
  const request = await ask(portal, recipient);
  await portal.signIn(JONAS);
  await portal.open("/approvals");
  const mine = waiting(portal, recipient);
  await mine.getByRole("button", { name: "Reject" }).click();
  await expect(portal.alert()).toContainText("Say why; the requester reads it.");
  await portal.settled();
  await expect(mine.getByLabel("Note")).toHaveAttribute("aria-invalid", "true");
  await mine.getByLabel("Note").fill("Ask the parts team; they have it per car.");
  await mine.getByRole("button", { name: "Reject" }).click();
  await expect(page.getByText(`Rejected: ${recipient} does not get ${PRODUCT}.`)).toBeVisible();
  await portal.signIn();
  await portal.open(request);
  await expect(page.getByText("Ask the parts team; they have it per car.")).toBeVisible();
  await expect(page.getByRole("listitem", { name: /Decided/ }).or(page.locator(".steps__step--failed"))).toBeVisible();
});

test("a decision on what has changed meanwhile is not taken", async ({ page, portal, context }) => {
  const recipient = fresh("lab");
  await portal.signIn();
  const request = await ask(portal, recipient);
  await portal.signIn(JONAS);
  await portal.open("/approvals");
  const mine = waiting(portal, recipient);
  await expect(mine).toBeVisible();

  // In another window the same person says yes.
  const other = await context.newPage();
  await other.goto(request);
  await other.getByRole("button", { name: "Approve" }).click();
  await expect(other.getByText(`Approved: ${recipient} gets ${PRODUCT}.`)).toBeVisible();
  await other.close();

  await mine.getByLabel("Note").fill("No.");
  await mine.getByRole("button", { name: "Reject" }).click();
  await expect(portal.alert()).toContainText("The request was changed meanwhile; look at it again before you go on.");
  await expect(mine).toHaveCount(0);
});

test("a form that is refused keeps what was typed and names each field", async ({ page, portal }) => {
  const hostile = `"><script>document.title = "taken"</script></textarea> שלום 🚗`;
  await portal.signIn();
  await portal.open(`/products/${PRODUCT}/request`);
  await page.getByLabel("Purpose, in one word").fill("Not a word!");
  await page.getByLabel("Purpose, in a sentence or two").fill(hostile);
  await page.getByRole("button", { name: "Send the request" }).click();
  await expect(portal.alert()).toContainText("Purpose, code: Not a name");
  await portal.settled();
  // Without script the browser is led to the form.
  await expect(page).toHaveURL(new RegExp(`/products/${PRODUCT}/request(#request-new)?$`));
  await expect(page).toHaveTitle("Ask for access · Entrepôt");
  await expect(page.getByLabel("Purpose, in one word")).toHaveValue("Not a word!");
  await expect(page.getByLabel("Purpose, in one word")).toHaveAttribute("aria-invalid", "true");
  await expect(page.getByLabel("Purpose, in a sentence or two")).toHaveValue(hostile);
  await portal.audit();
});

test("a session that ends in the middle of a form loses nothing", async ({ page, portal }) => {
  await portal.signIn();
  await portal.open(`/products/${PRODUCT}/request`);
  await page.getByLabel("Purpose, in one word").fill("forecast");
  await page.getByLabel("Purpose, in a sentence or two").fill("Kept across the door.");
  await page.context().clearCookies();
  await page.getByRole("button", { name: "Send the request" }).click();
  await expect(page).toHaveURL(/\/sign-in\?next=/);
  await portal.settled();
  await portal.submitSignIn("mara", process.env.E2E_PASSWORD!);
  await expect(page).toHaveURL(`/products/${PRODUCT}/request`);
  await expect(portal.alert()).toContainText("You were signed out meanwhile.");
  await expect(page.getByLabel("Purpose, in one word")).toHaveValue("forecast");
  await expect(page.getByLabel("Purpose, in a sentence or two")).toHaveValue("Kept across the door.");
});

test("a request can be taken back", async ({ page, portal }) => {
  const recipient = fresh("lab");
  await portal.signIn();
  await ask(portal, recipient);
  await page.getByRole("button", { name: "Take the request back" }).click();
  await expect(page.getByText("The request is withdrawn.")).toBeVisible();
  await expect(page.getByText("Taken back by who asked.")).toBeVisible();
  await expect(page.getByRole("button", { name: "Take the request back" })).toHaveCount(0);
});
