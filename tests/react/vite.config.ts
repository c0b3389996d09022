import { defineConfig } from "vite";

// One module with a known name; React's development build, for only that runs effects twice in StrictMode.
export default defineConfig({
  base: "/react/",
  build: {
    modulePreload: false,
    minify: false,
    rollupOptions: { input: "src/main.tsx", output: { entryFileNames: "app.js" } },
  },
});
