// Finding the best of many models with few scores: how often each way of searching is right, at shares of the cells and in batches.
// Usage: npm run bench:arms [-- --test DIR --data NAME --seeds N --shares 0.02,0.05,0.1 --json FILE]
import { parseArgs } from 'node:util'
import { bayesianRacing, lowRank, successiveHalving, ucbE, uniform, type Search, type SearchSize } from '../src/evaluation/index.js'
import { childRandom, shareInterval } from '../src/statistics/index.js'
import { scoreMatrices, type ScoreMatrix } from './data/score-matrices.js'
import { DataProblem, dataRoot } from './data/source.js'
import { commandLine, packageVersion, table, writeReport } from './report.js'

const { values } = parseArgs({
  options: {
    test: { type: 'string' },
    train: { type: 'string' },
    data: { type: 'string', multiple: true },
    seeds: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    shares: { type: 'string', default: '0.02,0.05,0.1' },
    batches: { type: 'string', default: '1,8,32' },
    lrf: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
})
const startedAt = performance.now()
const root = values.test ?? values.train ?? dataRoot()
const seeds = Number(values.seeds)
const seed = Number(values.seed)
const numbers = (text: string) => text.split(',').map(Number)

const ways: Readonly<Record<string, (size: SearchSize, cells: number) => Search>> = {
  uniform: (size) => uniform(size),
  'UCB-E (074)': (size) => ucbE(size),
  ...(values.lrf ? { 'UCB-E-LRF (074)': (size: SearchSize) => lowRank(size, { members: 32 }) } : {}),
  'successive halving': (size, cells) => successiveHalving(size, { cells }),
  'Bayesian racing': (size) => bayesianRacing(size),
}

function trial({ methods, items, scores }: ScoreMatrix, make: (size: SearchSize, cells: number) => Search, cells: number, batch: number, run: number): { readonly method: number; readonly probability: number | null } {
  const search = make({ methods: methods.length, items, random: childRandom(seed + run, 'search') }, cells)
  for (let left = cells; left > 0; ) {
    const asked = search.next(Math.min(batch, left))
    if (asked.length === 0) break
    left -= asked.length
    for (const cell of asked) search.observe(cell, scores[cell.method]?.[cell.item] ?? NaN)
  }
  return search.leader()
}

const results: Record<string, unknown>[] = []
const sources = []
for (const [name, load] of Object.entries(scoreMatrices)) {
  if (values.data && !values.data.includes(name)) continue
  let matrix: ScoreMatrix
  try {
    matrix = load(root)
  } catch (thrown) {
    if (!(thrown instanceof DataProblem)) throw thrown
    process.stderr.write(`${name}: left out. ${thrown.message}\n`)
    continue
  }
  sources.push(matrix.source)
  const means = matrix.scores.map((row) => row.reduce((sum, score) => sum + score, 0) / row.length)
  const sorted = [...means].sort((a, b) => b - a)
  const best = means.indexOf(sorted[0] ?? NaN)
  const rows: string[][] = []
  for (const batch of numbers(values.batches))
    for (const share of numbers(values.shares)) {
      const cells = Math.floor(share * matrix.methods.length * matrix.items)
      const row = [String(batch), `${share * 100} %`]
      for (const [way, make] of Object.entries(ways)) {
        let right = 0
        let sure = 0
        let regret = 0
        for (let run = 0; run < seeds; run++) {
          const { method, probability } = trial(matrix, make, cells, batch, run)
          if (method === best) right += 1
          sure += probability ?? 0
          regret += (sorted[0] ?? 0) - (means[method] ?? 0)
        }
        const { low, high } = shareInterval(right, seeds)
        results.push({ data: name, batch, share, way, right: { value: right / seeds, low, high, n: seeds, method: 'Clopper-Pearson, 95 %' }, meanRegret: regret / seeds, ...(way === 'Bayesian racing' ? { meanProbability: sure / seeds } : {}) })
        row.push(`${Math.round((100 * right) / seeds)} % (${(regret / seeds).toFixed(3)})`)
        if (way === 'Bayesian racing') row.push(`${Math.round((100 * sure) / seeds)} %`)
      }
      rows.push(row)
    }
  process.stdout.write(
    `\n${name}: ${matrix.methods.length} models × ${matrix.items} items; the best leads by ${((sorted[0] ?? 0) - (sorted[1] ?? 0)).toFixed(4)}. Right of ${seeds} seeds (mean loss of score).\n\n${table(['batch', 'cells', ...Object.keys(ways).map((title) => ({ title, align: 'right' as const })), { title: 'racing is sure of', align: 'right' }], rows)}\n`,
  )
}
if (results.length === 0) {
  process.stderr.write(`No data under ${root}. Set BURSAR_DATA, or give --test DIR.\n`)
  process.exitCode = 1
}
if (values.json !== undefined)
  writeReport(values.json, { command: commandLine('bench:arms'), seed, data: sources, settings: values, baselines: { uniform: 'in the results' }, results, seconds: (performance.now() - startedAt) / 1_000, version: packageVersion() })
