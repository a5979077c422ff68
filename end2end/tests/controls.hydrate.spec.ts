// Controls that are asked with a browser's session and mostly without drawing a page, so once is enough: forged addresses (C-06,
// C-56), who sees what (C-05, C-11), whose session it is (C-04), where signing in leads (C-49); and that the other specs would notice
// what the policy blocks (C-52).
import { ADA, expect, MARA, NOOR, password, test } from "../fixtures/portal";
import { isRefused, sent } from "../fixtures/forms";
import { fresh } from "../fixtures/work";

const PRODUCT = "vehicle-workshop-visits";
const NOBODYS = "00000000-0000-7000-8000-000000000000";

test("addresses of what is not there, or of others, lead to the page that says so", async ({ page, portal, baseURL }) => {
  await portal.as(MARA);
  const ids = [NOBODYS, "not-an-id", "9".repeat(5_000), "%00", "%ff", "..%2f..%2fetc%2fpasswd", "'%20or%201=1--"];
  const paths = ids.flatMap((id) => ["requests", "products", "replicas", "runs"].map((area) => `/${area}/${id}`));
  paths.push(`/products/${NOBODYS}/edit`, "/costs/aftersales/2026-99", "/costs/nobody/2026-01", `/access?read=${NOBODYS}`);
  for (const path of paths) {
    const answer = await page.request.get(path, { headers: { accept: "text/html" } });
    await isRefused(answer, [404], path);
    expect(answer.headers()["content-security-policy"], path).toContain("'strict-dynamic'");
  }
  // A letter too many in what stands behind the `?` is said, and breaks nothing.
  for (const path of ["/catalog?after=%27", "/catalog?q=%00", "/approvals?after=%00", `/catalog?q=${"x".repeat(5_000)}`]) {
    await isRefused(await page.request.get(path), [200], path);
  }
  await portal.openMissing(`/requests/${NOBODYS}`, baseURL!);
  await expect(page.getByRole("heading", { level: 1, name: "Nothing is landed here" })).toBeVisible();
});

test("what strangers and other roles may not see is not drawn", async ({ page, portal, request: nobody }) => {
  const pages = ["/admin/people", "/admin/people/jonas", "/admin/audit", "/admin/jobs"];
  await portal.as(MARA);
  for (const path of pages) {
    expect(await (await page.request.get(path)).text(), path).toMatch(/This takes an? |Nothing is landed here/);
  }
  for (const path of [...pages, "/catalog", "/approvals", "/access", "/replicas", "/costs", "/account", `/products/${PRODUCT}`]) {
    const answer = await nobody.get(path);
    expect(answer.status(), path).toBe(401);
    expect(await answer.text(), path).not.toContain("Workshop visits");
  }
  await portal.as(NOOR);
  expect((await page.request.get("/admin/audit")).status()).toBe(200);
});

test("a role that is taken is gone at once, and a session with its account", async ({ page, portal, browser, baseURL }) => {
  const name = `brief${fresh()}`;
  await portal.as(ADA);
  const made = { "[name]": name, "[title]": "Brief", "[password]": password(), "[roles][auditor]": "yes" };
  await sent(portal, "people/create_person", made, baseURL!);
  const context = await browser.newContext({ baseURL });
  const theirs = await context.newPage();
  const headers = { origin: new URL(baseURL!).origin };
  // An id from before signing in is worth nothing after (C-04).
  const wrong = { form: { name, password: "wrong" }, headers };
  await theirs.request.post("/sign-in", wrong);
  const before = (await context.cookies()).find((cookie) => cookie.name.endsWith("entrepot"));
  await theirs.request.post("/sign-in", { form: { name, password: password() }, headers });
  const after = (await context.cookies()).find((cookie) => cookie.name.endsWith("entrepot"));
  expect(after).toMatchObject({ httpOnly: true, sameSite: "Lax", path: "/" });
  expect(after?.value).not.toBe(before?.value);

  const audit = async () => (await theirs.request.get("/admin/audit")).text();
  expect(await audit()).toContain("Check the chain");
  await sent(portal, "people/set_roles", { "[person]": name }, baseURL!);
  expect(await audit()).toContain("This takes an auditor");
  await sent(portal, "people/update_person", { "[person]": name, "[active]": "no" }, baseURL!);
  expect((await theirs.request.get("/catalog")).status()).toBe(401);
  await context.close();
});

test("signing in leads nowhere else, however it is written", async ({ request, baseURL }) => {
  const headers = { origin: new URL(baseURL!).origin };
  const elsewhere = ["//evil", "/\\evil", "/a/../\\evil", "/%5cevil", "/%2f%2fevil", "https:evil", "/..;/evil", "/\tevil", "javascript:alert(1)"];
  for (const next of elsewhere) {
    const form = { name: MARA, password: password(), next };
    const answer = await request.post("/sign-in", { form, headers, maxRedirects: 0 });
    expect(answer.status(), next).toBe(303);
    expect(answer.headers().location, next).toBe("/");
  }
});

test.describe("a page into which somebody has put a script", () => {
  test.fail();

  test("fails whatever test opens it", async ({ page, portal }) => {
    await page.route("/sign-in", async (route) => {
      const response = await route.fetch();
      const body = (await response.text()).replace("</main>", "<script>document.title = 'taken'</script></main>");
      await route.fulfill({ response, body });
    });
    await portal.open("/sign-in");
    await expect(page).toHaveTitle("Sign in · Entrepôt");
  });
});
