// The inbox: keys are offered where there is a program that hears them, and nowhere else; what few want of a decision is folded.
import { expect, JONAS, test } from "../fixtures/portal";
import { ask, fresh } from "../fixtures/work";

test("keys are offered only where they are heard", async ({ page, portal }) => {
  const recipient = `keys_${fresh()}`;
  await ask(portal, "vehicle-workshop-visits", recipient);
  await portal.signIn(JONAS);
  await portal.open("/approvals");
  const mine = page.getByRole("article", { name: `vehicle-workshop-visits for ${recipient}` });
  await expect(mine.getByRole("button", { name: "Approve" })).toBeVisible();
  const keys = page.getByRole("button", { name: "Keys", exact: true });
  await expect(keys).toBeVisible({ visible: portal.scripted });
  await portal.audit();
});

test("conditions of a yes are folded until somebody wants them", async ({ page, portal }) => {
  const recipient = `fold_${fresh()}`;
  await ask(portal, "vehicle-workshop-visits", recipient);
  await portal.signIn(JONAS);
  await portal.open("/approvals");
  const mine = page.getByRole("article", { name: `vehicle-workshop-visits for ${recipient}` });
  const bytes = mine.getByLabel("At most so many bytes a day");
  await expect(mine.getByLabel("Note")).toBeVisible();
  await expect(bytes).toBeHidden();
  await mine.locator("summary").focus();
  await page.keyboard.press("Enter");
  await expect(bytes).toBeVisible();
  await portal.audit();
  await bytes.fill("a lot");
  await mine.getByRole("button", { name: "Approve" }).click();
  // What is wrong is not folded away, nor what was written.
  await expect(bytes).toHaveAttribute("aria-invalid", "true");
  await expect(bytes).toBeVisible();
  await expect(bytes).toHaveValue("a lot");
});
