// What the browser is told to allow (control C-52). That nothing is blocked by it, every other spec watches.
import { expect, test } from "../fixtures/portal";

const CONSTANT = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
};

for (const path of ["/", "/sign-in", "/activate", "/catalog", "/access", "/replicas", "/erasures", "/advice", "/adoptions", "/flows", "/costs", "/costs/aftersales/2026-01/line", "/products/vehicle-workshop-visits/edit", "/admin/assess", "/admin/audit", "/admin/people", "/account/tokens", "/account/notifications", "/nowhere", "/favicon.svg"]) {
  test(`${path} is protected`, async ({ request }) => {
    const policies: string[] = [];
    for (let round = 0; round < 2; round++) {
      const headers = (await request.get(path)).headers();
      expect(headers).toMatchObject(CONSTANT);
      policies.push(headers["content-security-policy"]);
    }
    expect(policies[0]).toContain("'strict-dynamic'");
    expect(policies[0]).not.toContain("unsafe-inline");
    expect(policies[0], "a nonce serves one response").not.toBe(policies[1]);
  });
}

test("pages are kept nowhere", async ({ request }) => {
  for (const path of ["/", "/sign-in", "/catalog", "/access", "/nowhere"]) {
    expect((await request.get(path)).headers()["cache-control"]).toBe("no-store");
  }
});
