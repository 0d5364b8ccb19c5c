// How the page is built: one bundle, nothing inlined (the policy forbids it), and the API proxied while developing.
import { defineConfig } from "vite";
import solid from "vite-plugin-solid";

const api = { "/api": process.env.API_URL ?? "http://127.0.0.1:8099" };

export default defineConfig({
  plugins: [solid()],
  build: { target: "es2022", assetsInlineLimit: 0, cssCodeSplit: false, modulePreload: { polyfill: false } },
  server: { host: "127.0.0.1", port: 5173, proxy: api },
  preview: { host: "127.0.0.1", port: 5173, strictPort: true, proxy: api },
});
