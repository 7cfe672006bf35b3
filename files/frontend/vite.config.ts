import react from '@vitejs/plugin-react'
import { defineConfig } from 'vitest/config'

const proxy = { '/api': 'http://127.0.0.1:8080' }

export default defineConfig({
  plugins: [react()],
  // Nothing inline: the page works under the Content-Security-Policy default-src 'self'.
  build: { assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  server: { proxy },
  preview: { proxy },
  test: { environment: 'jsdom', setupFiles: 'src/test/setup.ts', restoreMocks: true },
})
