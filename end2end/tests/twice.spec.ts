// The same form twice, two tabs, and a session that ends in the middle of a form: one result, and nothing typed is lost.
import { expect, JONAS, MARA, password, test } from "../fixtures/portal";
import { asked, LINES, long, recipientNew, requestNew, send, sent } from "../fixtures/forms";
import { fresh } from "../fixtures/work";

const PRODUCT = "vehicle-workshop-visits";

test("what is sent twice is done once", async ({ page, portal, baseURL }) => {
  const recipient = `twice_${fresh()}`;
  const twice = async (call: string, fields: Record<string, string>) => {
    const answers = await Promise.all([send(portal, call, fields, baseURL!), send(portal, call, fields, baseURL!)]);
    const [done, refused] = answers.sort((one, other) => one.status() - other.status());
    expect(done.status(), `${call}: ${await done.text()}`).toBe(200);
    return { to: ((await done.json()) as { to: string }).to, status: refused.status(), text: await refused.text() };
  };
  await portal.as(MARA);
  expect(await twice("access/create_recipient", recipientNew(PRODUCT, recipient))).toMatchObject({
    status: 422,
    text: expect.stringContaining("That name is taken."),
  });
  const ask = await twice("access/create_request", requestNew(PRODUCT, recipient));
  expect(ask).toMatchObject({ status: 409, text: expect.stringContaining("The same request is waiting already") });

  await portal.as(JONAS);
  const no = { "[request]": ask.to.split("/").pop()!, "[revision]": "1", "[verdict]": "reject", "[note]": "Said once." };
  expect(await twice("access/decide_request", no)).toMatchObject({ status: 409 });
  await portal.open(ask.to);
  await expect(page.getByText("Said once.")).toHaveCount(1);
});

test("a token’s form that is sent twice makes one token", async ({ page, portal, baseURL }) => {
  const name = `twice ${fresh()}`;
  await portal.as(MARA);
  await portal.open("/account/tokens");
  const once = await page.locator('input[name="once"]').inputValue();
  const headers = { accept: "text/html", origin: new URL(baseURL!).origin };
  const form = { name, acts_as: "", days: "7", once };
  const answers = await Promise.all([1, 2].map(() => page.request.post("/account/tokens", { form, headers, maxRedirects: 0 })));
  expect(answers.map((answer) => answer.status()).sort()).toEqual([200, 303]);
  await portal.open("/account/tokens");
  await expect(portal.alert()).toContainText("This form was sent already");
  const row = page.getByRole("row").filter({ hasText: name });
  await expect(row).toHaveCount(1);
  const token = await row.locator('input[name="form[token]"]').inputValue();
  await sent(portal, "people/revoke_token", { "[token]": token, "[confirm]": name }, baseURL!);
});

test("what was written in one tab outlives signing out in another", async ({ page, portal, context }) => {
  const path = "/products/vehicle-warranty-claims/edit";
  const description = long(10_000, LINES);
  await portal.signIn(JONAS);
  await portal.open(path);
  const about = page.getByLabel("Description");
  await about.fill(description);

  const other = await context.newPage();
  await other.goto("/account");
  await other.locator("summary").first().click();
  await other.getByRole("button", { name: "Sign out" }).click();
  await expect(other.getByRole("banner").getByRole("link", { name: "Sign in" })).toBeVisible();
  await other.close();

  await page.getByRole("button", { name: "Save" }).click();
  await expect(page).toHaveURL(/\/sign-in\?next=/);
  await portal.settled();
  // A wrong password on the way loses nothing either.
  await portal.submitSignIn(JONAS, "wrong");
  await expect(page.getByRole("alert")).toBeVisible();
  await portal.submitSignIn(JONAS, password());
  await expect(page).toHaveURL(path);
  await expect(portal.alert()).toContainText("You were signed out meanwhile.");
  await expect(about).toHaveValue(description);
  await expect(page.getByLabel("Title")).toHaveValue("Warranty claims");
});

test("a session that ends while a token is made loses nothing", async ({ page, portal, context }) => {
  await portal.signIn(JONAS);
  await portal.open("/account/tokens");
  await page.getByText("Make a token").click();
  await page.getByLabel("What it is for").fill("kept for the night");
  await page.getByLabel("Days until it ends").fill("7");
  await context.clearCookies();
  await page.getByRole("button", { name: "Make the token" }).click();
  await expect(page).toHaveURL(/\/sign-in\?next=/);
  await portal.settled();
  await portal.submitSignIn(JONAS, password());
  await expect(portal.alert()).toContainText("You were signed out meanwhile.");
  await expect(page.getByLabel("What it is for")).toHaveValue("kept for the night");
  await expect(page.getByLabel("Days until it ends")).toHaveValue("7");
});

test("a session that ends while a note is written loses nothing", async ({ page, portal, context, baseURL }) => {
  const recipient = `late_${fresh()}`;
  const request = await asked(portal, PRODUCT, recipient, baseURL!);
  await portal.as(JONAS);
  await portal.open(request);
  await page.getByLabel("Note").fill("Not decided yet.");
  await context.clearCookies();
  await page.getByRole("button", { name: "Approve" }).click();
  await expect(page).toHaveURL(/\/sign-in\?next=/);
  await portal.settled();
  await portal.submitSignIn(JONAS, password());
  await expect(page).toHaveURL(request);
  await expect(page.getByLabel("Note")).toHaveValue("Not decided yet.");
  await page.getByRole("button", { name: "Reject" }).click();
  await expect(page.getByText(`Rejected: ${recipient} does not get ${PRODUCT}.`)).toBeVisible();
});
