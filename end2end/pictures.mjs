// The README's pictures: four pages of a demo world, as PNG files into the folder that is named. `cargo xtask pictures`
// starts that world and sets E2E_BASE_URL, E2E_PASSWORD and CHROMIUM.
import { chromium } from "@playwright/test";

const PICTURES = [
  { name: "catalog", person: "mara", path: "/catalog" },
  { name: "product", person: "mara", path: "/products/vehicle-workshop-visits" },
  { name: "request", person: "mara", path: "/products/vehicle-workshop-visits/request", from: ".crumbs" },
  { name: "costs", person: "jonas", path: "/costs" },
];

const [folder] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });
for (const { name, person, path, from } of PICTURES) {
  const context = await browser.newContext({
    baseURL: process.env.E2E_BASE_URL,
    viewport: { width: 1280, height: 800 },
    colorScheme: "light",
    reducedMotion: "reduce",
    locale: "en-GB",
    timezoneId: "UTC",
  });
  await context.request.post("/sign-in", { form: { name: person, password: process.env.E2E_PASSWORD } });
  const page = await context.newPage();
  const response = await page.goto(path);
  if (!response.ok()) throw new Error(`${path} answered ${response.status()}`);
  await page.locator("body[data-hydrated]").waitFor({ state: "attached" });
  if (from) await page.locator(from).evaluate((place) => place.scrollIntoView());
  await page.screenshot({ path: `${folder}/${name}.png` });
  await context.close();
}
await browser.close();
