import { expect, test } from "../fixtures/portal";

for (const path of ["/nowhere", "/sign-in/nowhere", "/pkg/nowhere.js", "/%3Cscript%3E"]) {
  test(`${path} says 404 and leads home`, async ({ page, portal, baseURL }) => {
    const response = await portal.openMissing(path, baseURL!);
    expect(response.status()).toBe(404);
    await expect(page).toHaveTitle("Not found · Entrepôt");
    await page.getByRole("main").getByRole("link", { name: "Go to the home page" }).click();
    await expect(page).toHaveURL("/");
  });
}

test("HEAD is told the same", async ({ request }) => {
  expect((await request.head("/nowhere")).status()).toBe(404);
  expect((await request.head("/")).status()).toBe(200);
});
