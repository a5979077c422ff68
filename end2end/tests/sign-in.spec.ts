import { expect, MARA, password, test } from "../fixtures/portal";

const REFUSED = "The name or the password is not right.";

test("the right password leads home", async ({ page, portal }) => {
  await portal.signIn();
  await expect(page).toHaveURL("/");
});

test("signing in leads on to where one was going", async ({ page, portal }) => {
  await portal.open("/sign-in?next=%2F%3Ffrom%3Dmail");
  await portal.submitSignIn(MARA, password());
  await expect(page).toHaveURL("/?from=mail");
  await expect(page.getByRole("heading", { level: 1, name: "Welcome, mara" })).toBeVisible();
});

for (const target of ["//evil.example", "/\\evil.example", "https://evil.example", "/%2f%2fevil.example"]) {
  test(`signing in never leads out of the portal: ${target}`, async ({ page, portal }) => {
    await portal.open(`/sign-in?next=${encodeURIComponent(target)}`);
    await portal.submitSignIn(MARA, password());
    await expect(page).toHaveURL("/");
  });
}

test("a wrong password and an unknown name look the same", async ({ page, portal }) => {
  const secret = "not-her-password-4711";
  const answers: string[] = [];
  for (const name of [MARA, "nobody-of-that-name"]) {
    await portal.open("/sign-in");
    await portal.submitSignIn(name, secret);
    await expect(page.getByRole("alert")).toHaveText(REFUSED);
    await expect(page.getByLabel("Name", { exact: true })).toHaveValue(name);
    await expect(page.getByLabel("Password")).toHaveValue("");
    await expect(page.getByLabel("Password")).toBeFocused();
    expect(await page.content()).not.toContain(secret);
    expect(page.url()).not.toContain(secret);
    answers.push(await page.getByRole("main").ariaSnapshot());
  }
  expect(answers[0].replace(MARA, "")).toEqual(answers[1].replace("nobody-of-that-name", ""));
});

test("a refusal is told once", async ({ page, portal }) => {
  await portal.open("/sign-in");
  await portal.submitSignIn(MARA, "wrong");
  await expect(page.getByRole("alert")).toBeVisible();
  await portal.open("/sign-in");
  await expect(page.getByRole("alert")).toHaveCount(0);
  await expect(page.getByLabel("Name", { exact: true })).toHaveValue("");
});

test("a refused attempt keeps where one was going", async ({ page, portal }) => {
  await portal.open("/sign-in?next=%2F%3Ffrom%3Dmail");
  await portal.submitSignIn(MARA, "wrong");
  await expect(page.getByRole("alert")).toBeVisible();
  await portal.submitSignIn(MARA, password());
  await expect(page).toHaveURL("/?from=mail");
});

test("hostile text in the name stays text", async ({ page, portal }) => {
  const hostile = `"><script>document.title = "taken"</script><img src=x onerror=alert(1)>`;
  await portal.open("/sign-in");
  await portal.submitSignIn(hostile, "wrong");
  await expect(page.getByRole("alert")).toHaveText(REFUSED);
  await expect(page).toHaveTitle("Sign in · Entrepôt");
  await expect(page.getByRole("main").locator("img")).toHaveCount(0);
});

test("a keyboard is enough", async ({ page, portal }) => {
  await portal.open("/");
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Skip to the content" })).toBeFocused();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  await expect(page.getByRole("main").getByRole("link", { name: "Sign in" })).toBeFocused();
  await page.keyboard.press("Enter");
  await page.waitForURL("/sign-in");
  await portal.settled();
  await page.getByLabel("Name", { exact: true }).focus();
  await page.keyboard.type(MARA);
  await page.keyboard.press("Tab");
  await expect(page.getByLabel("Password")).toBeFocused();
  await page.keyboard.type(password());
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: "Welcome, mara" })).toBeVisible();
  await portal.settled();

  // And out again, through the account menu.
  const account = page.getByText("Account of mara");
  await page.locator("summary").focus();
  await expect(account).toHaveCount(1);
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Your account" })).toBeFocused();
  await page.keyboard.press("Tab");
  await expect(page.getByRole("button", { name: "Sign out" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("banner").getByRole("link", { name: "Sign in" })).toBeVisible();
});

test("who is signed in need not do it again", async ({ page, portal }) => {
  await portal.signIn();
  await portal.open("/sign-in");
  await expect(page.getByText("You are signed in as mara.")).toBeVisible();
  await expect(page.getByLabel("Password")).toHaveCount(0);
});
