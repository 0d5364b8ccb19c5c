// The pictures of docs/tour.md: `keelson up` with a fixed seed, looked at in Debian's chromium.
import { defineConfig } from "@playwright/test";

const port = 8094;

export default defineConfig({
  testDir: ".",
  testMatch: "pictures.ts",
  outputDir: "../test-results",
  timeout: 180_000,
  expect: { timeout: 30_000 },
  workers: 1,
  forbidOnly: true,
  reporter: [["list"]],
  use: {
    baseURL: `http://127.0.0.1:${port}`,
    viewport: { width: 1200, height: 800 },
    contextOptions: { reducedMotion: "reduce" },
    launchOptions: { executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] },
  },
  webServer: {
    command: `../../target/debug/keelson up --listen 127.0.0.1:${port} --seed 7 --speed 120`,
    url: `http://127.0.0.1:${port}/api/v1/overview`,
    timeout: 60_000,
    gracefulShutdown: { signal: "SIGTERM", timeout: 5_000 },
  },
});
