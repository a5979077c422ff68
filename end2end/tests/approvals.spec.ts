// The keys of the inbox are offered where there is a program that hears them, and nowhere else.
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
