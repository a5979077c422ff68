// What somebody sends who does not use the pages: fields with ids of others and of nothing, fields that no form has, forms of other
// sites (controls C-01 to C-03, C-06, C-08 to C-10, C-56). Sent with the browser's own session, most of it without drawing a page.
// What is refused is refused in words, and says nothing of the inside.
import { expect, JONAS, MARA, test } from "../fixtures/portal";
import { asked, isRefused, requestNew, send, sent } from "../fixtures/forms";
import { fresh } from "../fixtures/work";

const PRODUCT = "vehicle-workshop-visits";
const NOBODYS = "00000000-0000-7000-8000-000000000000";

test("a form with an id of somebody else changes nothing, and keeps what was typed", async ({ page, portal, baseURL }) => {
  const id = (await asked(portal, PRODUCT, `forged_${fresh()}`, baseURL!)).split("/").pop()!;
  const forged: [string, Record<string, string>, number[]][] = [
    ...[NOBODYS, "not-an-id", "9".repeat(100_000), "a\0b", "' or 1=1 --", ""].flatMap((wrong) => [
      ["access/withdraw_request", { "[request]": wrong }, [404]] as [string, Record<string, string>, number[]],
      ["catalog/update_product", { "[product]": wrong, "[title]": "Mine" }, [404]] as [string, Record<string, string>, number[]],
    ]),
    ["catalog/update_product", { "[product]": PRODUCT, "[title]": "Mine" }, [403]],
    ["catalog/retire_product", { "[product]": PRODUCT, "[confirm]": PRODUCT, "[reason]": "x" }, [403]],
    ["organisation/create_domain", { "[name]": "mine", "[title]": "Mine" }, [403]],
    // Nobody decides on what they asked for (C-09).
    ["access/decide_request", { "[request]": id, "[revision]": "1", "[verdict]": "approve" }, [403]],
    // Fields that the form does not have (C-08), and values that are none.
    ["access/withdraw_request", { "[request]": id, "[status]": "approved" }, [422]],
    ["access/create_request", { ...requestNew(PRODUCT, "rnd_weu"), "[requester]": JONAS }, [422]],
    ["access/decide_request", { "[request]": id, "[revision]": "9".repeat(40), "[verdict]": "approve" }, [422]],
  ];
  for (const [call, fields, statuses] of forged) {
    const what = `${call} ${JSON.stringify(fields).slice(0, 120)}`;
    await isRefused(await send(portal, call, fields, baseURL!), statuses, what);
  }

  await portal.open(`/products/${PRODUCT}/request?recipient=rnd_weu`);
  const form = page.locator("#request-new");
  await form.locator('input[name="form[recipient]"]').evaluate((field: HTMLInputElement) => (field.value = "\"><b>not mine"));
  await form.getByLabel("Purpose, in one word").fill("quality");
  await form.getByLabel("Purpose, in a sentence or two").fill("Typed with care.");
  await form.getByRole("button", { name: "Send the request" }).click();
  await expect(portal.alert()).toContainText("Recipient: There is no such recipient of one of your teams.");
  await portal.settled();
  await expect(form.getByLabel("Purpose, in a sentence or two")).toHaveValue("Typed with care.");

  // The request of somebody else is there for who decides, and for nobody else.
  await portal.as(JONAS);
  await isRefused(await send(portal, "access/withdraw_request", { "[request]": id }, baseURL!), [403, 404], "of another");
  const gone = { "[request]": id, "[revision]": "7", "[verdict]": "reject", "[note]": "No." };
  await isRefused(await send(portal, "access/decide_request", gone, baseURL!), [409], "another revision");
  const no = { ...gone, "[revision]": "1" };
  await sent(portal, "access/decide_request", no, baseURL!);
});

test("forms of other sites are not taken, whoever is signed in", async ({ page, portal, baseURL }) => {
  const id = (await asked(portal, PRODUCT, `forged_${fresh()}`, baseURL!)).split("/").pop()!;
  const call = "access/withdraw_request";
  const action = `${baseURL}/_fn/app/api/${call}`;
  const body = `<form method="post" action="${action}"><input name="form[request]" value="${id}"><button>Win</button></form>`;
  portal.refuses(call, baseURL!);
  // Another port is another origin, though cookies go along.
  const { protocol, hostname } = new URL(baseURL!);
  for (const site of ["http://evil.example/", `${protocol}//${hostname}:9/`]) {
    await page.route(site, (route) => route.fulfill({ contentType: "text/html", body }));
    await page.goto(site);
    const answer = page.waitForResponse(action);
    await page.getByRole("button", { name: "Win" }).click();
    expect((await answer).status(), site).toBe(403);
  }
  // And a link changes nothing (C-02), nor does an answer follow where one came from (C-03).
  const link = await page.request.get(`/_fn/app/api/${call}?form[request]=${id}`);
  await isRefused(link, [404, 405], "a link");
  const back = await page.request.post(`/_fn/app/api/${call}`, {
    form: { at: "/\\evil.example", id: "withdraw", "form[request]": NOBODYS },
    headers: { accept: "text/html", origin: new URL(baseURL!).origin, referer: "https://evil.example/?__err=1" },
    maxRedirects: 0,
  });
  expect(back.status()).toBe(303);
  expect(back.headers().location).toMatch(/^\/(#.*)?$/);
  const path = `/requests/${id}`;
  await portal.open(path);
  await page.getByRole("button", { name: "Take the request back" }).click();
  await expect(page.getByText("The request is withdrawn.")).toBeVisible();
});
