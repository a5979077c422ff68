// Every page in light and dark, wide and narrow, as nobody and signed in.
import { expect, MARA, test, type Portal } from "../fixtures/portal";

const SCREENS = [
  { width: 1280, height: 800 },
  { width: 360, height: 740 },
];

type Page = { name: string; open: (portal: Portal, baseURL: string) => Promise<unknown> };

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
  { name: "not found", open: (portal, baseURL) => portal.openMissing("/nowhere", baseURL) },
  {
    name: "home of members with the account menu open",
    open: async (portal) => {
      await portal.signIn();
      await portal.page.locator("summary").click();
      await expect(portal.page.getByRole("button", { name: "Sign out" })).toBeVisible();
    },
  },
  {
    name: "sign-in of members",
    open: async (portal) => {
      await portal.signIn();
      await portal.open("/sign-in");
    },
  },
];

for (const colorScheme of ["light", "dark"] as const) {
  for (const viewport of SCREENS) {
    test.describe(`${colorScheme}, ${viewport.width} pixels`, () => {
      test.use({ colorScheme, viewport });
      for (const { name, open } of PAGES) {
        test(name, async ({ portal, baseURL }) => {
          await open(portal, baseURL!);
          await portal.audit();
        });
      }
    });
  }
}
