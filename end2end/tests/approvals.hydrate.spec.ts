// The inbox by keyboard: to a request, to its decision, and out again.
import { expect, JONAS, test } from "../fixtures/portal";
import { ask, fresh } from "../fixtures/work";

const PRODUCT = "vehicle-workshop-visits";

test("keys lead through the inbox, to the note, and send what was chosen", async ({ page, portal }) => {
  test.setTimeout(60_000);
  const [first, second] = [`keys_${fresh()}`, `keys_${fresh()}x`];
  await ask(portal, PRODUCT, first);
  await ask(portal, PRODUCT, second);
  await portal.signIn(JONAS);
  await portal.open("/approvals");
  const items = page.locator("[data-keys] > li");
  const dialog = page.getByRole("dialog", { name: "Keys of this page" });

  await page.keyboard.press("?");
  await expect(dialog).toBeVisible();
  await portal.audit();
  await page.keyboard.press("?");
  await expect(dialog).toBeHidden();

  await page.keyboard.press("j");
  await expect(items.first()).toBeFocused();
  await page.keyboard.press("ArrowDown");
  await expect(items.nth(1)).toBeFocused();
  await page.keyboard.press("k");
  await expect(items.first()).toBeFocused();
  await page.keyboard.press("k");
  await expect(items.first()).toBeFocused();

  const mine = items.filter({ has: page.getByRole("article", { name: `${PRODUCT} for ${first}`, exact: true }) });
  const note = mine.getByLabel("Note");
  await mine.focus();
  await page.keyboard.press("a");
  await expect(note).toBeFocused();
  await expect(note).toHaveValue("");
  await expect(mine.getByRole("status")).toContainText("Approve: Ctrl and Enter send it");
  // While somebody types, letters are letters.
  await page.keyboard.type("ajkr? no");
  await expect(note).toHaveValue("ajkr? no");
  await expect(dialog).toBeHidden();
  await page.keyboard.press("Escape");
  await expect(mine).toBeFocused();
  await expect(mine.locator("[data-chosen]")).toHaveCount(0);

  await page.keyboard.press("r");
  await expect(note).toBeFocused();
  await expect(mine.getByRole("button", { name: "Reject" })).toHaveAttribute("data-chosen", "");
  await page.keyboard.press("Control+Enter");
  await expect(page.getByText(`Rejected: ${first} does not get ${PRODUCT}.`)).toBeVisible();
  await expect(mine).toHaveCount(0);
  await expect(page).toHaveURL("/approvals");
  // What was drawn anew hears the keys as well.
  await page.keyboard.press("j");
  await expect(items.first()).toBeFocused();
});

test("keys can be turned off, and stay off until they are turned on", async ({ page, portal }) => {
  await ask(portal, PRODUCT, `keys_${fresh()}`);
  await portal.signIn(JONAS);
  await portal.open("/approvals");
  const items = page.locator("[data-keys] > li");
  const keys = page.getByRole("button", { name: "Keys", exact: true });
  await keys.click();
  await page.getByRole("button", { name: "Turn the keys off" }).click();
  await page.getByRole("button", { name: "Close" }).click();
  await page.keyboard.press("j");
  await expect(items.first()).not.toBeFocused();
  await portal.open("/approvals");
  await page.keyboard.press("j");
  await expect(items.first()).not.toBeFocused();
  await keys.click();
  await page.getByRole("button", { name: "Turn the keys on" }).click();
  await page.getByRole("button", { name: "Close" }).click();
  await page.keyboard.press("j");
  await expect(items.first()).toBeFocused();
});
