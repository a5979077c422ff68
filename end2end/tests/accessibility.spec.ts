// Every page in light and dark, wide and narrow, as nobody and signed in.
import { ADA, expect, JONAS, MARA, NOOR, test, type Portal } from "../fixtures/portal";

type Page = { name: string; open: (portal: Portal, baseURL: string) => Promise<unknown> };

/// Each step of registering by its address, and what is seen there.
const FOUND = "storage=aws_eu&prefix=warranty&team=aftersales";
const TICKED = `${FOUND}&table=warranty/claims`;
const REGISTERING = [
  ["where", "", "Team that will own them"],
  ["where, refused", "step=tables&storage=aws_eu&prefix=..&team=aftersales", "Team that will own them"],
  ["which", `step=tables&${FOUND}`, "Registered already."],
  ["nothing there", "step=tables&storage=aws_eu&prefix=nothing&team=aftersales", "There is no table there"],
  ["what", `step=describe&${TICKED}`, "Classification"],
  ["what, refused", `step=access&${TICKED}&name=Wrong&title=&name.warranty/claims=`, "Classification"],
  ["who", `step=access&${TICKED}&classification=personal`, "Who decides on requests"],
  ["review", `step=review&${TICKED}&classification=internal`, "Declaration"],
] as const;

const PAGES: Page[] = [
  { name: "home of strangers", open: (portal) => portal.open("/") },
  { name: "sign-in", open: (portal) => portal.open("/sign-in") },
  {
    name: "sign-in refused",
    open: async (portal) => {
      await portal.open("/sign-in");
      await portal.submitSignIn(MARA, "wrong");
      await expect(portal.page.getByRole("alert")).toBeVisible();
    },
  },
  { name: "activation without a link", open: (portal) => portal.open("/activate") },
  { name: "not found", open: (portal, baseURL) => portal.openMissing("/nowhere", baseURL) },
  {
    name: "home of members with the account menu open",
    open: async (portal) => {
      await portal.signIn();
      await portal.page.locator("summary").click();
      await expect(portal.page.getByRole("button", { name: "Sign out" })).toBeVisible();
    },
  },
  ...["", "?tab=schema", "?tab=freshness", "?tab=access", "?tab=cost", "/usage"].map((tab) => ({
    name: `product ${tab}`,
    open: async (portal: Portal) => {
      await portal.as(JONAS);
      await portal.open(`/products/vehicle-warranty-claims${tab}`);
      await expect(portal.page.getByRole("heading", { level: 1, name: "Warranty claims" })).toBeVisible();
    },
  })),
  {
    name: "history of a product",
    open: async (portal) => {
      await portal.as(NOOR);
      await portal.open("/products/vehicle-workshop-visits?tab=history");
      await expect(portal.page.getByRole("region", { name: "History" })).toBeVisible();
    },
  },
  {
    name: "declaration of a product",
    open: async (portal) => {
      await portal.as(JONAS);
      await portal.open("/products/vehicle-workshop-visits?tab=yaml");
      await expect(portal.page.getByRole("region", { name: "Declaration" })).toBeVisible();
    },
  },
  {
    name: "catalog",
    open: async (portal) => {
      await portal.as(MARA);
      await portal.open("/catalog?q=vehicle&cloud=aws");
      await expect(portal.page.getByRole("article")).not.toHaveCount(0);
    },
  },
  {
    name: "catalog with nothing found",
    open: async (portal) => {
      await portal.as(MARA);
      await portal.open("/catalog?q=nothingofthatname&cloud=aws");
      await expect(portal.page.getByText("No product fits")).toBeVisible();
    },
  },
  {
    name: "asking for access, with the new recipient open",
    open: async (portal) => {
      await portal.as(MARA);
      await portal.open("/products/vehicle-workshop-visits/request");
      await portal.page.getByText("Make another recipient").click();
      await expect(portal.page.getByRole("radio", { name: "Live" })).toBeVisible();
    },
  },
  {
    name: "approvals",
    open: async (portal) => {
      await portal.as(JONAS);
      await portal.open("/approvals");
      await expect(portal.page.getByRole("heading", { level: 1, name: "Approvals" })).toBeVisible();
    },
  },
  {
    name: "a request",
    open: async (portal) => {
      await portal.as(MARA);
      await portal.open("/access");
      await portal.page.getByRole("link", { name: /^vehicle-warranty-claims for / }).first().click();
      await expect(portal.page.getByRole("heading", { level: 1, name: /^Request for/ })).toBeVisible();
    },
  },
  {
    name: "my access with the lines to read",
    open: async (portal) => {
      await portal.as(MARA);
      await portal.open("/access");
      await portal.page.getByRole("link", { name: /^How to read/ }).first().click();
      await expect(portal.page.getByRole("heading", { level: 2, name: /^Read / })).toBeVisible();
      await portal.page.getByText("Give up").first().click();
    },
  },
  {
    name: "replicas",
    open: async (portal) => {
      await portal.as(JONAS);
      await portal.open("/replicas");
      await expect(portal.page.getByRole("region", { name: "Replicas" })).toBeVisible();
    },
  },
  {
    name: "the advice on a product and how it stands",
    open: async (portal) => {
      await portal.as(JONAS);
      await portal.open("/advice?product=vehicle-workshop-visits");
      await expect(portal.page.getByRole("region", { name: "How it stands" })).toBeVisible();
    },
  },
  {
    name: "cuts of a product, one made and its forms open",
    open: async (portal) => {
      await portal.as(JONAS);
      await portal.open("/products/vehicle-parts-orders/cuts");
      await portal.page.locator("summary", { hasText: "Make a cut" }).click();
      const cut = `plain-${Date.now()}`;
      const form = portal.page.locator("#cut-new");
      await form.getByLabel("Name", { exact: true }).fill(cut);
      await form.getByLabel("This table is in the cut").first().check();
      await form.getByRole("combobox").first().selectOption("left_out");
      await form.getByRole("button", { name: "Make a cut" }).click();
      await expect(portal.page.getByRole("heading", { level: 2, name: cut })).toBeVisible();
      await portal.page.locator(`section[aria-labelledby="cut-${cut}"] summary`, { hasText: "Change this cut" }).click();
    },
  },
  {
    name: "asking for a product that has cuts",
    open: async (portal) => {
      await portal.as(MARA);
      await portal.open("/products/vehicle-parts-orders/request");
      await expect(portal.page.getByRole("radio", { name: "Live" })).toBeVisible();
    },
  },
  {
    name: "erasures with the form open",
    open: async (portal) => {
      await portal.as(JONAS);
      await portal.open("/erasures");
      await portal.page.locator("summary", { hasText: "Ask for an erasure" }).click();
      await expect(portal.page.getByLabel("Why")).toBeVisible();
    },
  },
  {
    name: "adopted copies with the form open",
    open: async (portal) => {
      await portal.as(JONAS);
      await portal.open("/adoptions");
      await portal.page.locator("summary", { hasText: "Name a copy" }).click();
      await expect(portal.page.getByLabel("Folder")).toBeVisible();
    },
  },
  {
    name: "flows of the old way with the form open",
    open: async (portal) => {
      await portal.as(JONAS);
      await portal.open("/flows");
      await portal.page.locator("summary", { hasText: "Register a flow" }).click();
      await expect(portal.page.getByLabel("Consumers")).toBeVisible();
    },
  },
  {
    name: "an erasure and its certificate",
    open: async (portal) => {
      await portal.as(JONAS);
      await portal.open("/erasures");
      await portal.page.locator("summary", { hasText: "Ask for an erasure" }).click();
      await portal.page.getByLabel("Product").fill("vehicle-parts-orders");
      await portal.page.getByLabel("Why").fill("A customer asked to be forgotten.");
      await portal.page.getByRole("button", { name: "Ask for an erasure" }).click();
      await portal.page.waitForURL(/\/erasures\/[0-9a-f-]{36}/);
      await portal.settled();
      await expect(portal.page.getByRole("link", { name: /certificate/i }).first()).toBeVisible();
    },
  },
  {
    name: "a replica with its schedule open",
    open: async (portal) => {
      await portal.as(JONAS);
      await portal.open("/replicas");
      await portal.page.getByRole("link", { name: "vehicle-workshop-visits" }).first().click();
      await portal.page.getByText("Change the schedule").first().click();
      await expect(portal.page.getByLabel("Cron")).toBeVisible();
    },
  },
  {
    name: "a sync run",
    open: async (portal) => {
      await portal.as(JONAS);
      await portal.open("/products/vehicle-workshop-visits?tab=freshness");
      await portal.page.getByRole("region", { name: "Sync runs" }).getByRole("link").first().click();
      await expect(portal.page.getByRole("heading", { level: 2, name: "What it moved" })).toBeVisible();
    },
  },
  {
    name: "costs with the figures open",
    open: async (portal) => {
      await portal.as(JONAS);
      await portal.open("/costs");
      await expect(portal.page.getByRole("group", { name: /^Bytes by day and product/ })).toBeVisible();
      await portal.page.getByText("The figures as a table").click();
      await expect(portal.page.getByRole("region", { name: "Charges by day and product" })).toBeVisible();
    },
  },
  {
    name: "a statement",
    open: async (portal) => {
      await portal.as(JONAS);
      await portal.open("/costs");
      await portal.page.getByRole("region", { name: "Statements" }).getByRole("link").first().click();
      await expect(portal.page.getByRole("heading", { level: 1, name: /^Statement of/ })).toBeVisible();
    },
  },
  {
    name: "mail to you",
    open: async (portal) => {
      await portal.as(MARA);
      await portal.open("/account/notifications");
      await expect(portal.page.getByLabel("Access that ends")).toBeVisible();
    },
  },
  {
    name: "flows by region",
    open: async (portal) => {
      await portal.as(JONAS);
      await portal.open("/costs?from=aws&to=azure");
      await expect(portal.page.getByRole("link", { name: "All clouds" })).toBeVisible();
    },
  },
  {
    name: "changing a product",
    open: async (portal) => {
      await portal.as(JONAS);
      await portal.open("/products/vehicle-warranty-claims/edit");
      await portal.page.getByText("This cannot be undone").click();
      await expect(portal.page.getByRole("button", { name: "Retire it" })).toBeVisible();
    },
  },
  ...REGISTERING.map(([step, query, shown]) => ({
    name: `registering: ${step}`,
    open: async (portal: Portal) => {
      await portal.as(JONAS);
      await portal.open(`/register?${query}`);
      await expect(portal.page.getByText(shown, { exact: true }).first()).toBeVisible();
    },
  })),
  {
    name: "audit",
    open: async (portal) => {
      await portal.as(NOOR);
      await portal.open("/admin/audit");
      await expect(portal.page.getByRole("region", { name: "Audit log" })).toBeVisible();
    },
  },
  {
    name: "people with the new account open",
    open: async (portal) => {
      await portal.as(ADA);
      await portal.open("/admin/people");
      await portal.page.getByText("Make an account").click();
      await expect(portal.page.getByRole("region", { name: "People" })).toBeVisible();
    },
  },
  {
    name: "a person with everything open",
    open: async (portal) => {
      await portal.as(ADA);
      await portal.open("/admin/people/mara");
      for (const fold of ["Set a password", "Deactivate the account"]) await portal.page.getByText(fold).click();
      await expect(portal.page.getByRole("button", { name: "Deactivate mara" })).toBeVisible();
    },
  },
  {
    name: "domains with the new one open",
    open: async (portal) => {
      await portal.as(ADA);
      await portal.open("/admin/domains");
      await portal.page.getByText("Make a domain").click();
    },
  },
  {
    name: "a domain",
    open: async (portal) => {
      await portal.as(ADA);
      await portal.open("/admin/domains/vehicle");
      await expect(portal.page.getByLabel("What it is about")).toBeVisible();
    },
  },
  {
    name: "teams with the new one open",
    open: async (portal) => {
      await portal.as(ADA);
      await portal.open("/admin/teams");
      await portal.page.getByText("Make a team").click();
    },
  },
  {
    name: "a team with everything open",
    open: async (portal) => {
      await portal.as(ADA);
      await portal.open("/admin/teams/aftersales");
      await portal.page.getByText("Add a member").click();
      await portal.page.getByRole("region", { name: "Members" }).getByText("Remove").first().click();
      await expect(portal.page.getByRole("button", { name: "Add the member" })).toBeVisible();
    },
  },
  {
    name: "storages with the new one open",
    open: async (portal) => {
      await portal.as(ADA);
      await portal.open("/admin/storages");
      await portal.page.getByText("Make a storage").click();
      for (const fold of ["Keys of AWS", "Key of Azure", "Key of Google Cloud", "From the server’s environment"]) {
        await portal.page.getByText(fold).click();
      }
      await expect(portal.page.getByLabel("Secret access key")).toBeVisible();
    },
  },
  {
    name: "an assessment",
    open: async (portal) => {
      await portal.as(ADA);
      await portal.open("/admin/assess");
      await portal.page.getByLabel("Storage").selectOption("aws_eu");
      await portal.page.getByLabel("Where the consumers are").fill("azure:westeurope");
      await portal.page.getByRole("button", { name: "Assess" }).click();
      await portal.settled();
      await expect(async () => {
        await portal.open("/admin/assess");
        await expect(portal.page.getByRole("region", { name: "In all" })).toBeVisible({ timeout: 1_000 });
      }).toPass();
    },
  },
  {
    name: "a storage with what the doctor found",
    open: async (portal) => {
      await portal.as(ADA);
      await portal.open("/admin/storages/aws_eu");
      await portal.page.getByRole("button", { name: "Run the doctor" }).click();
      await expect(portal.page.getByRole("region", { name: "What the doctor found" })).toBeVisible();
      await portal.settled();
      await portal.page.locator("summary", { hasText: "Change the storage" }).click();
    },
  },
  {
    name: "recipients",
    open: async (portal) => {
      await portal.as(ADA);
      await portal.open("/admin/recipients");
      await expect(portal.page.getByRole("region", { name: "Recipients" })).toBeVisible();
    },
  },
  {
    name: "one’s account",
    open: async (portal) => {
      await portal.as(JONAS);
      await portal.open("/account");
      await expect(portal.page.getByRole("heading", { level: 2, name: "Your teams" })).toBeVisible();
    },
  },
  {
    name: "one’s tokens with the new one open",
    open: async (portal) => {
      await portal.as(JONAS);
      await portal.open("/account/tokens");
      await portal.page.getByText("Make a token").click();
      await expect(portal.page.getByLabel("Acts as")).toBeVisible();
    },
  },
  {
    name: "a page of members, for strangers",
    open: (portal, baseURL) => portal.openMissing("/catalog", baseURL),
  },
  {
    name: "sign-in of members",
    open: async (portal) => {
      await portal.as(MARA);
      await portal.open("/sign-in");
    },
  },
];

for (const { name, open } of PAGES) {
  test(name, async ({ portal, baseURL }) => {
    await open(portal, baseURL!);
    await portal.auditEverywhere();
  });
}
