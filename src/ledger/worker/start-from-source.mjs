// Starts the worker from its TypeScript source: a thread doesn't take on the loader that the process was started with. The worker and its store are bundled as one, which takes
// a tenth of the time that a loader needs for each of their modules; every test of a durable ledger starts a worker.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { threadId, workerData } from 'node:worker_threads'
import { build } from 'esbuild'

// Beside the packages, so that the bundle finds them.
const folder = new URL('../../../node_modules/.cache/bursar/', import.meta.url)

const [worker, store] = await Promise.all(
  [fileURLToPath(new URL('./worker.ts', import.meta.url)), fileURLToPath(workerData.storeModule)].map(bundled),
)
workerData.storeModule = store
await import(worker)

/** The address of a module with everything that it imports from our own files. Named by its content: several threads may write the same. */
async function bundled(file) {
  const { outputFiles } = await build({
    entryPoints: [file],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    sourcemap: 'inline',
  })
  const [{ contents }] = outputFiles
  const path = fileURLToPath(new URL(`${createHash('sha256').update(contents).digest('hex').slice(0, 32)}.mjs`, folder))
  if (!existsSync(path)) {
    mkdirSync(folder, { recursive: true })
    const written = `${path}.${process.pid}.${threadId}`
    writeFileSync(written, contents)
    renameSync(written, path)
  }
  return pathToFileURL(path).href
}
