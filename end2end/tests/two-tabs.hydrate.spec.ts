// What is typed into a form stays bound to what was seen, though the page is drawn anew around it for another form.
import { ADA, expect, test } from "../fixtures/empty-world";

test("a form that was typed into is not bound anew when another form of its page is sent", async ({ page, portal, context }) => {
  test.setTimeout(90_000);
  await portal.signIn(ADA);
  await portal.open("/admin/people");
  await page.getByText("Make an account").click();
  const made = page.locator("#person-new");
  await made.getByLabel("Name to sign in with").fill("jonas");
  await made.getByLabel("Name for others to read").fill("Jonas Weber");
  await made.getByRole("button", { name: "Make the account" }).click();
  await expect(page).toHaveURL("/admin/people/jonas");
  await portal.settled();

  const form = page.locator("#person");
  await form.getByLabel("E-mail").fill("jonas@example.org");
  await form.getByLabel("Name for others to read").fill("Jonas A.");
  const other = await context.newPage();
  await other.goto("/admin/people/jonas");
  await other.getByLabel("Name for others to read").fill("Jonas W.");
  await other.getByRole("button", { name: "Change the account" }).click();
  await expect(other.getByText("The account jonas is changed.")).toBeVisible();
  await other.close();

  // What the other window has done is drawn; what was typed here stays.
  await page.getByText("Set a password", { exact: true }).click();
  await page.locator("#password").getByLabel("New password").fill("correct horse battery staple");
  await page.getByRole("button", { name: "Set the password" }).click();
  await expect(page.getByText("jonas has a new password")).toBeVisible();
  await expect(form.getByLabel("E-mail")).toHaveValue("jonas@example.org");
  await form.getByRole("button", { name: "Change the account" }).click();
  await expect(portal.alert()).toContainText("The person was changed meanwhile");
  await expect(form.getByRole("status")).toContainText("Name for others to read was “Jonas Weber” and is “Jonas W.” now.");
  await expect(form.getByLabel("E-mail")).toHaveValue("jonas@example.org");
});
