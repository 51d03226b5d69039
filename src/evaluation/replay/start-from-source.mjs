// Starts the thread from its TypeScript source: a thread doesn't take on the loader that the process was started with. It is bundled as one, which takes a tenth
// of the time that a loader needs for each of its modules.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { threadId } from 'node:worker_threads'
import { build } from 'esbuild'

// Beside the packages, so that the bundle finds them.
const folder = new URL('../../../node_modules/.cache/bursar/', import.meta.url)
const entryPoints = [fileURLToPath(new URL('./decision-thread.ts', import.meta.url))]
const options = { bundle: true, write: false, format: 'esm', platform: 'node', target: 'node20', packages: 'external', sourcemap: 'inline' }
const [{ contents }] = (await build({ entryPoints, ...options })).outputFiles
// Named by its content: several threads may write the same.
const file = new URL(`${createHash('sha256').update(contents).digest('hex').slice(0, 32)}.mjs`, folder)
if (!existsSync(file)) {
  mkdirSync(folder, { recursive: true })
  const written = new URL(`${file.href}.${process.pid}.${threadId}`)
  writeFileSync(written, contents)
  renameSync(written, file)
}
await import(file)
