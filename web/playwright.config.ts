// The page is looked at as a person does: served by `keelson up`, in Debian's chromium.
import { defineConfig } from "@playwright/test";

const port = 8098;
/** The same, to which people sign in: with a token; and over HTTPS, at the provider of e2e/provider.ts. */
const guarded = 8097;
const oidc = 8096;
const certificate =
  "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=127.0.0.1 " +
  "-addext subjectAltName=IP:127.0.0.1 -keyout test-data/oidc/tls.key -out test-data/oidc/tls.crt";
const keelson = "../target/debug/keelson up";
const served = { timeout: 300_000, gracefulShutdown: { signal: "SIGTERM", timeout: 5_000 } } as const;

export default defineConfig({
  testDir: "e2e",
  outputDir: "test-results",
  timeout: 60_000,
  // A machine that compiles at the same time is slow, and the page is not wrong for that.
  expect: { timeout: 15_000 },
  workers: 2,
  forbidOnly: true,
  reporter: [["list"]],
  // What changes the mode of the one server changes what every other test sees: it runs after them, one at a time.
  projects: [
    { name: "together", grepInvert: /@alone/ },
    { name: "alone", grep: /@alone/, dependencies: ["together"], workers: 1 },
  ],
  use: {
    baseURL: process.env.BASE_URL ?? `http://127.0.0.1:${port}`,
    launchOptions: { executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] },
  },
  webServer: [
    ...(process.env.BASE_URL
      ? []
      : [
          {
            command: `${keelson} --listen 127.0.0.1:${port} --seed 7`,
            url: `http://127.0.0.1:${port}/api/v1/overview`,
            ...served,
          },
        ]),
    {
      command: `rm -rf test-data/guarded && ${keelson} --listen 127.0.0.1:${guarded} --seed 8 --sign-in token --data test-data/guarded`,
      url: `http://127.0.0.1:${guarded}/readyz`,
      ...served,
    },
    {
      command:
        `rm -rf test-data/oidc && mkdir -p test-data/oidc && ${certificate} && ` +
        "printf a-secret-that-only-these-tests-know > test-data/oidc/secret && " +
        `${keelson} --listen 127.0.0.1:${oidc} --seed 9 --data test-data/oidc --sign-in oidc ` +
        `--host 127.0.0.1:${oidc} --tls-cert test-data/oidc/tls.crt --tls-key test-data/oidc/tls.key ` +
        "--oidc-issuer http://127.0.0.1:8095 --oidc-client keelson --oidc-secret-file test-data/oidc/secret",
      url: `https://127.0.0.1:${oidc}/readyz`,
      ignoreHTTPSErrors: true,
      ...served,
    },
  ],
});
