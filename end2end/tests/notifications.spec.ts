// Choosing what one is told by mail. Somebody else with and without script, so that neither undoes the other's choice.
import { DORA, expect, NOOR, test } from "../fixtures/portal";

test("kinds of mail are turned off and on", async ({ page, portal }) => {
  await portal.signIn(portal.scripted ? NOOR : DORA);
  await page.locator("summary").click();
  await page.getByRole("link", { name: "Your account" }).click();
  await page.getByRole("main").getByRole("link", { name: "Mail" }).click();
  await portal.settled();
  await expect(page.getByRole("heading", { level: 1, name: "Mail to you" })).toBeVisible();
  const late = page.getByLabel("Late replicas");
  for (const choice of ["no", "yes"]) {
    await late.selectOption(choice);
    await page.getByRole("button", { name: "Keep" }).click();
    await expect(page.getByText("Kept. It holds from the next mail on.")).toBeVisible();
    await portal.settled();
    await expect(late).toHaveValue(choice);
    await portal.open("/account/notifications");
    await expect(late).toHaveValue(choice);
    await expect(page.getByLabel("Decisions")).toHaveValue("yes");
  }
});
