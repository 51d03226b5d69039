/**
 * `npm run bench:tables -- --out DIR`: recorded data sets as outcome tables, in a seeded random order, for `bursar replay`, `score` and
 * `train`. The folder must lie outside the repository: the data's licences forbid copies in it.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { childRandom } from '../src/statistics/index.js'
import { loadLlmRouter } from './data/llmrouter.js'
import { loadRouteLlmGsm8kRouting, loadRouteLlmMmlu } from './data/routellm-mmlu.js'
import { loadRouterArena } from './data/routerarena.js'
import { loadRouterBench } from './data/routerbench.js'
import type { RoutingProblem } from './data/routing-problem.js'
import { dataRoot, DataProblem } from './data/source.js'
import { benchOptions } from './options.js'

const { values } = benchOptions(
  'bench:tables',
  'Recorded data sets as outcome tables, in a random order, for bursar replay, score and train.',
  {
    out: { type: 'string', takes: 'dir', about: 'where they are written: outside the repository, whose licence is another' },
    train: { type: 'string', takes: 'dir', about: 'folder that holds the data sets (default: $BURSAR_DATA)' },
    data: { type: 'string', takes: 'name', multiple: true, about: 'which data sets (default: all)' },
    seed: { type: 'string', takes: 'number', about: 'of everything that is drawn', default: '1' },
  },
)
const loaders: Readonly<Record<string, (root: string) => RoutingProblem>> = {
  llmrouter: (root) => loadLlmRouter(join(root, 'llmrouter_9models')),
  routerbench: (root) => loadRouterBench(join(root, 'routerbench_subset')),
  routerarena: (root) => loadRouterArena(join(root, 'routerarena')),
  'routellm-mmlu': (root) => loadRouteLlmMmlu(join(root, 'routellm')),
  'routellm-gsm8k': (root) => loadRouteLlmGsm8kRouting(join(root, 'routellm')),
}

try {
  if (values.out === undefined) throw new DataProblem('Say with --out where the tables are to be written.')
  const folder = resolve(values.out)
  const inside = relative(fileURLToPath(new URL('..', import.meta.url)), folder)
  if (!inside.startsWith('..')) throw new DataProblem(`${folder} lies in the repository, which may hold no rows of this data.`)
  mkdirSync(folder, { recursive: true })
  for (const [name, load] of Object.entries(loaders)) {
    if (values.data && !values.data.includes(name)) continue
    const { rows } = load(values.train ?? dataRoot())
    const random = childRandom(Number(values.seed), `order of ${name}`)
    const ordered = rows.map((row) => ({ row, place: random.next() })).sort((a, b) => a.place - b.place)
    const lines = ordered.map(({ row: { id, text, category, outcomes } }) =>
      JSON.stringify({ id, request: { messages: [{ role: 'user', content: text }] }, category, outcomes }),
    )
    const file = join(folder, `${name}.jsonl`)
    writeFileSync(file, `${lines.join('\n')}\n`)
    console.log(`${file}: ${lines.length} rows`)
  }
} catch (thrown) {
  if (!(thrown instanceof DataProblem)) throw thrown
  process.stderr.write(`bench:tables: ${thrown.message}\n`)
  process.exitCode = 1
}
