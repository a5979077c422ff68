// What would cost less: from the costs to a recommendation, the weeks behind it, and the calls behind those.
import { ADA, expect, test } from "../fixtures/portal";

test("a recommendation leads to the weeks and the calls that it rests on", async ({ page, portal }) => {
  await portal.as(ADA);
  await portal.open("/costs");
  await page.getByRole("link", { name: "Would cost less" }).click();
  await portal.settled();
  await expect(page.getByRole("heading", { level: 1, name: "Advice" })).toBeVisible();
  await portal.audit();
  await page.getByRole("region", { name: "Advice" }).getByRole("rowheader").getByRole("link").first().click();
  await portal.settled();
  await expect(page.getByRole("heading", { level: 2, name: "The weeks behind it" })).toBeVisible();
  await expect(page.getByRole("region", { name: "The weeks behind it" }).getByRole("row")).not.toHaveCount(1);
  await portal.audit();
  await page.getByRole("link", { name: "Each call, with filters and as CSV" }).click();
  await portal.settled();
  await expect(page).toHaveURL(/\/products\/[a-z-]+\/usage/);
});
