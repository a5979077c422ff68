// A page that runs while the network is gone: what was typed stays, is said to be unsent, and is sent once the network is back.
import { expect, JONAS, MARA, test } from "../fixtures/portal";
import { fresh } from "../fixtures/work";

test("what is typed without a network is kept, and sent when it is back", async ({ page, portal, context, baseURL }) => {
  const recipient = `tunnel_${fresh()}`;
  await portal.as(MARA);
  await portal.open("/products/vehicle-workshop-visits/request");
  await page.getByText("Make another recipient").click();
  const form = page.locator("#recipient-new");
  await form.getByLabel("Name").fill(recipient);
  await form.getByLabel("Cloud").selectOption("onprem");
  await form.getByLabel("Region").fill("laboratory");
  portal.refuses("access/create_recipient", baseURL!);
  await context.setOffline(true);
  const send = form.getByRole("button", { name: "Make the recipient" });
  for (let time = 0; time < 2; time++) {
    await send.click();
    await expect(portal.alert()).toHaveText("The server could not be reached. Please try again.");
    await expect(page.locator("form[data-sending]")).toHaveCount(0);
    await expect(form.getByLabel("Name")).toHaveValue(recipient);
    await expect(form.getByLabel("Cloud")).toHaveValue("onprem");
  }
  await context.setOffline(false);
  await send.click();
  await expect(page.getByText(`The recipient ${recipient} is made.`)).toBeVisible();
});

test("a page that looks again by itself stays as it is without a network", async ({ page, portal, context, baseURL }) => {
  await portal.as(JONAS);
  await portal.open("/replicas");
  const shown = await page.getByRole("region", { name: "Replicas" }).innerText();
  portal.missing.add(new URL("/replicas", baseURL).href);
  // As if something were under way.
  await page.locator("#main").evaluate((main) => main.toggleAttribute("data-refresh", true));
  await context.setOffline(true);
  await page.waitForEvent("requestfailed");
  await expect(page.locator("body[data-busy]")).toHaveCount(0);
  expect(await page.getByRole("region", { name: "Replicas" }).innerText()).toBe(shown);
  // Waited for before there is a network, for it may look at once.
  const again = page.waitForResponse("/replicas");
  await context.setOffline(false);
  await again;
});
