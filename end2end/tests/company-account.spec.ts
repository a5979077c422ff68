// Signing in by a provider of OpenID Connect, which `cargo xtask test` starts beside the server: the browser's part of it. What the
// server makes of the provider's word is in server/tests/it/oidc.
import { randomUUID } from "node:crypto";
import type { APIRequestContext, Page } from "@playwright/test";

import { expect, test } from "../fixtures/portal";

const TITLE = "Sign in with Example";

function issuer(): string {
  const given = process.env.E2E_OIDC;
  if (!given) throw new Error("E2E_OIDC is not set: it is the issuer of the provider that the server knows");
  return given;
}

/// Somebody whom the provider knows; answers what they type there.
async function somebody(request: APIRequestContext): Promise<string> {
  const subject = randomUUID();
  const claims = { name: "Ines Keller", preferred_username: `ines-${subject.slice(0, 8)}` };
  const answer = await request.put(`${issuer()}/test/users/${subject}`, { data: claims });
  expect(answer.ok()).toBe(true);
  return subject;
}

async function goThere(page: Page): Promise<void> {
  // The provider's pages ask the world for a font.
  await page.route("https://fonts.googleapis.com/**", (route) => route.fulfill({ contentType: "text/css", body: "" }));
  await page.getByRole("link", { name: TITLE }).click();
  await page.waitForURL(`${issuer()}/**`);
}

test("one signs in by the company account and goes on to where one was going", async ({ page, portal, request }) => {
  const subject = await somebody(request);
  await portal.open("/sign-in?next=%2Fcatalog");
  await portal.audit();
  await goThere(page);
  await page.locator("input[name=login]").fill(subject);
  await page.locator("input[name=password]").fill("any");
  await page.locator("button[type=submit]").click();
  await page.locator("button[type=submit]").click();
  await expect(page).toHaveURL("/catalog");
  await portal.settled();
  await expect(page.getByText(`Account of ines-${subject.slice(0, 8)}`)).toHaveCount(1);
});

test("who breaks it off is told so and can sign in otherwise", async ({ page, portal }) => {
  await portal.open("/sign-in?next=%2Fcatalog");
  await goThere(page);
  await page.getByRole("link", { name: /cancel/i }).click();
  await expect(page).toHaveURL("/sign-in?next=%2Fcatalog");
  await portal.settled();
  await expect(portal.alert()).toContainText("The company account did not let you through.");
  await portal.audit();
  await expect(page.getByLabel("Password")).toBeVisible();
});
