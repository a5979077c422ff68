// Every spec runs twice: in a hydrated page and with JavaScript off. What needs JavaScript is called *.hydrate.spec.ts.
//
// `cargo xtask test` sets the variables: E2E_BASE_URL of a server with the demo world, E2E_DATA its data folder, E2E_DEMO
// what `entrepot demo --json` printed, E2E_OIDC the provider of identities that the server knows, E2E_ENTREPOT the binary,
// E2E_REPORT where the counts go. Without E2E_BASE_URL a server is started here, or the one of `cargo xtask run` is used.
import { defineConfig } from "@playwright/test";

const baseURL = process.env.E2E_BASE_URL ?? "http://127.0.0.1:3000";

export default defineConfig({
  testDir: "./tests",
  forbidOnly: Boolean(process.env.CI),
  // A test that passes at the second try is a finding, not a pass.
  retries: 0,
  workers: 2,
  timeout: 30_000,
  expect: { timeout: 10_000 },
  reporter: process.env.E2E_REPORT
    ? [["line"], ["json", { outputFile: process.env.E2E_REPORT }]]
    : [["line"]],
  use: {
    baseURL,
    // A trace of every test costs as much as the tests: ask for it where one fails (`--trace retain-on-failure`).
    trace: "off",
    screenshot: "only-on-failure",
    locale: "en-GB",
    timezoneId: "UTC",
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
  projects: [
    { name: "hydrate" },
    {
      name: "no-js",
      use: { javaScriptEnabled: false },
      testIgnore: "**/*.hydrate.spec.ts",
    },
  ],
  webServer: process.env.E2E_BASE_URL
    ? undefined
    : {
        command: "cargo xtask run --data target/end2end/data",
        cwd: "..",
        url: `${baseURL}/readyz`,
        reuseExistingServer: true,
        timeout: 20 * 60_000,
      },
});
