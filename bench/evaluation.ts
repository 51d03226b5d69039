// Evaluation on a budget: the best of many models from few cells, an unseen model's mean from few items, and how reliable that is.
// Usage: npm run bench:evaluation [-- --test DIR --part arms,items,reliability --data NAME --seeds N --shares 0.05,0.1 --batches 1,8,32
// --items 10,30,100,300 --lrf --json FILE]
import { decisionBound, searches, type SearchName } from '../src/evaluation/index.js'
import { scoreMatrices, type ScoreMatrix } from './data/score-matrices.js'
import { DataProblem, dataRoot } from './data/source.js'
import { INDIFFERENCE, measureSearch, type SearchResult } from './evaluation/best-arm.js'
import { measureFewItems } from './evaluation/few-items.js'
import { measureReliability, measureTiers } from './evaluation/reliability.js'
import { benchOptions } from './options.js'
import { commandLine, figure, packageVersion, table, writeReport } from './report.js'

const { values } = benchOptions(
  'bench:evaluation',
  'Evaluation on a budget: the best of many models from few cells, an unseen model from few items, and how reliable that is.',
  {
    test: { type: 'string', takes: 'dir', about: 'folder that holds the data sets (default: $BURSAR_DATA)' },
    train: { type: 'string', takes: 'dir', about: 'the same, where --test is left out' },
    part: { type: 'string', takes: 'list', about: 'which parts', default: 'arms,items,reliability' },
    data: { type: 'string', takes: 'name', multiple: true, about: 'which data sets (default: all)' },
    seeds: { type: 'string', takes: 'number', about: 'runs of each setting', default: '100' },
    seed: { type: 'string', takes: 'number', about: 'of everything that is drawn', default: '1' },
    shares: { type: 'string', takes: 'list', about: 'shares of the cells that may be scored', default: '0.05,0.1' },
    batches: { type: 'string', takes: 'list', about: 'cells asked at the same time', default: '1,8,32' },
    items: { type: 'string', takes: 'list', about: 'items that are scored of an unseen model', default: '10,30,100,300' },
    lrf: { type: 'boolean', about: 'also the search by low-rank factors, which is slow', default: false },
    json: { type: 'string', takes: 'file', about: 'also write the report as JSON' },
  },
)
const startedAt = performance.now()
const root = values.test ?? values.train ?? dataRoot()
const seeds = Number(values.seeds)
const seed = Number(values.seed)
const parts = new Set(values.part.split(','))
const numbers = (text: string) => text.split(',').map(Number)
const percent = (value: number) => `${Math.round(100 * value)} %`
const print = (text: string) => process.stdout.write(`${text}\n`)
const progress = (text: string) => process.stderr.write(`${text}\n`)

const ways = (Object.keys(searches) as SearchName[])
  .filter((way) => way !== 'ucb-e-lrf' || values.lrf)
  .sort((a, b) => Number(b === 'uniform') - Number(a === 'uniform'))

function arms(matrix: ScoreMatrix): SearchResult[] {
  const bound = decisionBound(matrix.scores)
  const all = matrix.methods.length * matrix.items
  const known = bound
    ? `the best leads by ${bound.gap.toFixed(4)}; an oracle that knew the two best needs ${bound.cells} cells (${((100 * bound.cells) / all).toFixed(1)} %) to tell them apart in 90 %`
    : 'the two best have the same mean'
  print(`\n## ${matrix.name}: ${matrix.methods.length} models × ${matrix.items} items; ${known}.\n`)
  const results: SearchResult[] = []
  for (const batch of numbers(values.batches))
    for (const share of numbers(values.shares))
      for (const way of ways) {
        results.push(measureSearch(matrix, { way, batch, share, seeds, seed }))
        progress(`${matrix.name}, batch ${batch}, ${percent(share)}, ${way}`)
      }
  const right = { align: 'right' as const }
  print(
    table(
      [
        'batch',
        'cells',
        'search',
        { title: `best found, of ${seeds}`, ...right },
        { title: '95 % interval', ...right },
        { title: `within ${100 * INDIFFERENCE} points`, ...right },
        { title: 'regret, points', ...right },
        { title: 'worst', ...right },
        { title: 'says', ...right },
      ],
      results.map((row) => [
        row.batch,
        percent(row.share),
        row.way,
        percent(row.right.value),
        `${percent(row.right.low)} to ${percent(row.right.high)}`,
        percent(row.near.value),
        figure(100 * row.regret),
        figure(100 * row.worst),
        row.probability === null ? '–' : percent(row.probability),
      ]),
    ),
  )
  return results
}

function fewItems(matrix: ScoreMatrix) {
  const runs = Math.min(seeds, 5)
  print(
    `\n## ${matrix.name}: the mean of an unseen model from few items; ${matrix.methods.length} models left out in turn, ${runs} draws of items each.\n`,
  )
  const results = measureFewItems(
    matrix,
    numbers(values.items).filter((size) => size < matrix.items),
    runs,
    seed,
    (done, all) => progress(`${matrix.name}, unseen model ${done} of ${all}`),
  )
  const right = { align: 'right' as const }
  print(
    table(
      [
        { title: 'items', ...right },
        'way',
        { title: 'mean absolute error, points', ...right },
        { title: 'worst model', ...right },
        { title: '95 % interval holds', ...right },
      ],
      results.map((row) => [
        row.items,
        row.estimator,
        `${figure(row.error)} ± ${figure(row.standardError)}`,
        figure(row.worst),
        row.coverage === null ? '–' : percent(row.coverage),
      ]),
    ),
  )
  return results
}

function reliability(matrix: ScoreMatrix) {
  const right = { align: 'right' as const }
  const decisions = measureReliability(
    matrix,
    numbers(values.items).filter((size) => size < matrix.items / 2),
    seed,
  )
  print(`\n## ${matrix.name}: reliability of a decision (DIoR), 40 draws.\n`)
  print(
    table(
      [
        { title: 'items', ...right },
        'put together by',
        { title: "ranking, Kendall's τ", ...right },
        { title: 'at least', ...right },
        { title: 'DIoR', ...right },
        { title: 'same winner', ...right },
        { title: 'at least', ...right },
      ],
      decisions.map((row) => [
        row.items,
        row.aggregation,
        figure(row.ranking.agreement.value),
        figure(row.ranking.conservative),
        figure(row.ranking.impact),
        percent(row.winner.agreement.value),
        percent(row.winner.conservative),
      ]),
    ),
  )
  const tiers = [1, 2].map((z) => measureTiers(matrix, Math.min(seeds, 10), seed, z))
  print(`\nA new model placed by tiers (Flash-HELM); rank error of 1 at most for the best five, 3 for the rest.\n`)
  print(
    table(
      [
        { title: 'z', ...right },
        { title: 'items scored', ...right },
        { title: 'best five', ...right },
        { title: 'rest', ...right },
        { title: 'same cost for all: best five', ...right },
        { title: 'rest', ...right },
      ],
      tiers.map((row) => [
        row.z,
        `${figure(100 * row.share, 1)} %`,
        percent(row.topWithin1),
        percent(row.restWithin3),
        percent(row.uniformTop),
        percent(row.uniformRest),
      ]),
    ),
  )
  return { decisions, tiers }
}

const results: Record<string, unknown> = {}
const sources = []
for (const [name, load] of Object.entries(scoreMatrices)) {
  if (values.data && !values.data.includes(name)) continue
  let matrix: ScoreMatrix
  try {
    matrix = load(root)
  } catch (thrown) {
    if (!(thrown instanceof DataProblem)) throw thrown
    progress(`${name}: left out. ${thrown.message}`)
    continue
  }
  sources.push(matrix.source)
  if (matrix.note) print(`\n${name}: ${matrix.note}.`)
  results[name] = {
    ...(parts.has('arms') ? { arms: arms(matrix) } : {}),
    ...(parts.has('items') ? { items: fewItems(matrix) } : {}),
    ...(parts.has('reliability') ? { reliability: reliability(matrix) } : {}),
  }
}
if (sources.length === 0) {
  process.stderr.write(`No data under ${root}. Set BURSAR_DATA, or give --test DIR.\n`)
  process.exitCode = 1
}
if (values.json !== undefined)
  writeReport(values.json, {
    command: commandLine('bench:evaluation'),
    seed,
    data: sources,
    settings: values,
    baselines: { uniform: 'in the results', 'random items': 'in the results' },
    results,
    seconds: (performance.now() - startedAt) / 1_000,
    version: packageVersion(),
  })
