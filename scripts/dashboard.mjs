// Bundles web/ into dist/dashboard: the page, its script and its style, which the gateway serves. Fails when the script is larger than it may be.
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = `${root}dist/dashboard`
/** Gzipped bytes that the script may have: 60 kB. */
const MOST_SCRIPT_BYTES = 60_000

mkdirSync(folder, { recursive: true })
await build({
  entryPoints: { app: `${root}web/main.tsx` },
  outdir: folder,
  bundle: true,
  minify: true,
  format: 'esm',
  target: ['es2022', 'safari16'],
  jsx: 'automatic',
  jsxImportSource: 'preact',
  legalComments: 'eof',
  banner: { js: '/*! Bursar, Apache-2.0. With preact (MIT, Jason Miller) and uPlot (MIT, Leon Sorokin). */' },
  logLevel: 'warning',
})
for (const name of ['index.html', 'favicon.svg']) copyFileSync(`${root}web/${name}`, `${folder}/${name}`)
const bytes = gzipSync(readFileSync(`${folder}/app.js`), { level: 9 }).length
process.stderr.write(`bursar: dashboard, ${(bytes / 1000).toFixed(1)} kB of JavaScript gzipped (at most ${MOST_SCRIPT_BYTES / 1000} kB)\n`)
if (bytes > MOST_SCRIPT_BYTES) process.exit(1)
