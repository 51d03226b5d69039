import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build, type Plugin } from 'esbuild'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Beside the packages, so that the bundle finds them. */
const cache = join(root, 'node_modules/.cache/bursar')

/** Each module goes on believing that it lies in its source file: threads and data files are found beside it. */
const whereTheyWere: Plugin = {
  name: 'where-they-were',
  setup(builder) {
    builder.onLoad({ filter: /[/\\]src[/\\].*\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href)),
      loader: 'ts',
    }))
  },
}

/**
 * The command as it is in the sources now, as a file that Node starts by itself: compiling each module anew at each start takes three
 * times as long, and tests start it a few hundred times. Commands are still loaded when they are wanted. Named by its content, since
 * several test files make it at the same time.
 */
export async function bundledCommand(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(root, 'src/cli/main.ts')],
    bundle: true,
    splitting: true,
    write: false,
    outdir: cache,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    plugins: [whereTheyWere],
  })
  const hash = createHash('sha256')
  for (const { path, contents } of outputFiles) hash.update(basename(path)).update(contents)
  const folder = join(cache, `command-${hash.digest('hex').slice(0, 32)}`)
  const written = `${folder}.${process.pid}`
  mkdirSync(written, { recursive: true })
  for (const { path, contents } of outputFiles) writeFileSync(join(written, basename(path)), contents)
  try {
    renameSync(written, folder)
  } catch (fault) {
    // Another test file was first, with the same.
    rmSync(written, { recursive: true })
    if (!(fault instanceof Error && 'code' in fault && (fault.code === 'ENOTEMPTY' || fault.code === 'EEXIST'))) throw fault
  }
  return join(folder, 'main.js')
}
