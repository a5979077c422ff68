// Texts that mean something to somebody on the way, in each form that takes free text: they come back as they were written, are
// shown as text and run nothing; what is too long is refused at its field and stays there (control C-53). That nothing of it is
// blocked either, because nothing of it is asked for, the console says: an error there fails every test.
import type { Locator, Page } from "@playwright/test";
import { ADA, expect, JONAS, MARA, test } from "../fixtures/portal";
import { HOSTILE, LINE, LINES, long, recipientNew, sent } from "../fixtures/forms";
import { draft, fresh } from "../fixtures/work";

const PRODUCT = "vehicle-workshop-visits";
/// For fields that take less.
const SHORT = `${HOSTILE[0]} ${HOSTILE[9]}`;
const HEBREW = "שלום, מרה (3)!";

let ran: string[];

test.beforeEach(({ page }) => {
  ran = [];
  page.on("dialog", (dialog) => {
    ran.push(dialog.message());
    void dialog.dismiss();
  });
});

test.afterEach(() => expect(ran, "nothing runs").toEqual([]));

/// As it is: `toHaveText` would not mind another space.
async function reads(where: Locator, text: string): Promise<void> {
  await expect(where).toBeVisible();
  expect(await where.evaluate((element) => element.textContent)).toBe(text);
}

/// Nothing that was written is an element.
async function isText(page: Page): Promise<void> {
  await expect(page.getByRole("main").locator("img, script, style, title")).toHaveCount(0);
}

async function isRefused(field: Locator, text: string): Promise<void> {
  await expect(field).toHaveAttribute("aria-invalid", "true");
  await expect(field).toHaveValue(text);
}

test("what is asked for and what is answered", async ({ page, portal, baseURL }) => {
  const recipient = `bad_${fresh()}`;
  await portal.as(MARA);
  await portal.open(await sent(portal, "access/create_recipient", recipientNew(PRODUCT, recipient), baseURL!));
  const purpose = page.getByLabel("Purpose, in a sentence or two");
  const send = page.getByRole("button", { name: "Send the request" });
  const tooLong = long(4_001, LINES);
  await page.getByLabel("Purpose, in one word").fill("quality");
  await purpose.fill(tooLong);
  await send.click();
  await expect(portal.alert()).toContainText("At most 4000 characters; these are 4001.");
  await portal.settled();
  await isRefused(purpose, tooLong);
  await isText(page);
  await purpose.fill(LINES);
  await send.click();
  await expect(page.getByText("The request is sent.")).toBeVisible();
  await portal.settled();
  await reads(page.locator("dd .lines"), LINES);
  await isText(page);

  const request = new URL(page.url()).pathname;
  await portal.as(JONAS);
  await portal.open(request);
  await reads(page.locator("dd .lines"), LINES);
  // Invisible characters that turn around what follows are not taken, and not dropped either.
  const note = page.getByLabel("Note");
  const turned = "harmless \u202Etxt.exe";
  await note.fill(turned);
  await page.getByRole("button", { name: "Reject" }).click();
  await expect(portal.alert()).toContainText("Note: Control characters cannot be stored.");
  await portal.settled();
  await isRefused(note, turned);
  await note.fill(LINES);
  await page.getByRole("button", { name: "Reject" }).click();
  await expect(page.getByText(`Rejected: ${recipient} does not get ${PRODUCT}.`)).toBeVisible();
  await portal.settled();
  await reads(page.locator("blockquote"), LINES);
  await isText(page);
});

test("what a product says of itself, ten thousand characters of it", async ({ page, portal }) => {
  test.setTimeout(60_000);
  const name = await draft(portal, "To be described");
  const description = long(10_000, `${LINES}\n\nשלום\n\n`);
  await portal.open(`/products/${name}/edit`);
  const form = page.locator("#product-edit");
  const [title, about] = [form.getByLabel("Title"), form.getByLabel("Description")];
  const save = form.getByRole("button", { name: "Save" });
  await title.fill(long(201, LINE));
  await about.fill(`${description}ä`);
  await save.click();
  await expect(portal.alert()).toContainText("Title: At most 200 characters; these are 201.");
  await expect(portal.alert()).toContainText("Description: At most 10000 characters; these are 10001.");
  await portal.settled();
  await isRefused(title, long(201, LINE));
  await isRefused(about, `${description}ä`);
  await title.fill(LINE);
  await about.fill(description);
  await save.click();
  await expect(page.getByText("The product is changed.")).toBeVisible();
  await portal.settled();
  await reads(page.getByRole("heading", { level: 1 }), LINE);
  // An empty line began a paragraph, whichever way the browser ended its lines.
  const paragraphs = page.locator(".prose > p[dir=auto]");
  await expect(paragraphs).toHaveCount(3);
  await reads(paragraphs.first(), LINES);
  await isText(page);
  await portal.auditEverywhere();

  await portal.open(`/products/${name}/edit`);
  await expect(title).toHaveValue(LINE);
  await expect(about).toHaveValue(description);
  await isText(page);

  // It is a draft: who owns it finds it, and nobody else does (C-07).
  const found = async () => (await page.request.get(`/catalog?q=${name}`)).text();
  expect(await found()).toContain(`href="/products/${name}"`);
  await portal.as(MARA);
  expect(await found()).toContain("No product fits");
  expect((await page.request.get(`/products/${name}`)).status()).toBe(404);
});

test("what domains, teams and people are called", async ({ page, portal, baseURL }) => {
  const word = fresh();
  const name = `bad${word}`;
  await portal.as(ADA);
  const domain = { "[name]": name, "[title]": LINE, "[description]": LINES };
  const team = { "[name]": name, "[title]": LINE, "[domain]": name, "[cost_center]": HOSTILE[5], "[contact]": SHORT };
  const person = { "[name]": name, "[title]": HEBREW };
  const pages = [
    { path: await sent(portal, "organisation/create_domain", domain, baseURL!), form: "#domain", title: LINE },
    { path: await sent(portal, "organisation/create_team", team, baseURL!), form: "#team", title: LINE },
    { path: await sent(portal, "people/create_person", person, baseURL!), form: "#person", title: HEBREW },
  ];
  for (const { path, form, title } of pages) {
    await portal.open(path);
    const field = page.locator(form).getByLabel(form === "#person" ? "Name for others to read" : "Title");
    await reads(page.getByRole("heading", { level: 1 }), title);
    await expect(field).toHaveValue(title);
    await isText(page);
    await field.fill(long(201, title));
    await page.locator(form).getByRole("button", { name: /^Change the/ }).click();
    await expect(portal.alert()).toContainText("Title: At most 200 characters; these are 201.");
    await portal.settled();
    await isRefused(field, long(201, title));
  }
  // Hebrew is written from the right, and turns nothing around it.
  const field = page.getByLabel("Name for others to read");
  expect(await field.evaluate((element) => element.matches(":dir(rtl)"))).toBe(true);
  const heading = page.getByRole("heading", { level: 1 });
  expect(await heading.evaluate((element) => getComputedStyle(element).unicodeBidi)).toBe("plaintext");
  await portal.open(pages[0].path);
  await expect(page.getByLabel("What it is about")).toHaveValue(LINES);
  await reads(page.locator("p.lines"), LINES);
  await portal.audit();
});

test("what a token is for", async ({ page, portal, baseURL }) => {
  const name = `${SHORT} ${fresh()}`;
  await portal.as(MARA);
  await portal.open("/account/tokens");
  const field = page.getByLabel("What it is for");
  await page.getByText("Make a token").click();
  await field.fill(long(101, name));
  await page.getByRole("button", { name: "Make the token" }).click();
  await expect(portal.alert()).toContainText("Name: At most 100 characters; these are 101.");
  await portal.settled();
  await isRefused(field, long(101, name));
  await field.fill(name);
  await page.getByRole("button", { name: "Make the token" }).click();
  await expect(page.getByRole("region", { name: "The new token" })).toBeVisible();
  await portal.settled();
  const row = page.getByRole("row").filter({ hasText: name });
  await expect(row).toHaveCount(1);
  await isText(page);
  const token = await row.locator('input[name="form[token]"]').inputValue();
  await sent(portal, "people/revoke_token", { "[token]": token, "[confirm]": name }, baseURL!);
});
