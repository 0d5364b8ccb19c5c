// Unit tests run without a browser: they test what needs none. Solid is the browser's, because a server's does not react.
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["browser"] },
  ssr: { resolve: { conditions: ["browser"] } },
  test: { include: ["tests/**/*.test.ts"], environment: "node", server: { deps: { inline: ["solid-js"] } } },
});
