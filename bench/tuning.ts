// Asynchronous Bayesian optimisation (AEGiS, 105) against Thompson sampling and random search on standard functions, with jobs of
// unequal duration. Usage: npm run bench:tuning [-- --seeds N --budget N --workers 4,8,16 --functions branin,... --seed N --json FILE]
import { aegis, randomSearch, thompson, type Optimiser } from '../src/evaluation/index.js'
import { virtualClock } from '../src/environment/index.js'
import { childRandom, median, normalDraw, type Random } from '../src/statistics/index.js'
import { benchOptions } from './options.js'
import { commandLine, packageVersion, table, writeReport } from './report.js'

const { values } = benchOptions(
  'bench:tuning',
  'Asynchronous Bayesian optimisation (AEGiS) against Thompson sampling and random search on standard functions.',
  {
    seeds: { type: 'string', takes: 'number', about: 'runs of each setting', default: '5' },
    budget: { type: 'string', takes: 'number', about: 'points of each run', default: '100' },
    workers: { type: 'string', takes: 'list', about: 'points that are computed at the same time', default: '4,8,16' },
    functions: { type: 'string', takes: 'list', about: 'which functions, such as branin (default: all)' },
    seed: { type: 'string', takes: 'number', about: 'of everything that is drawn', default: '1' },
    train: { type: 'string', takes: 'dir', about: 'not used: nothing is fitted here' },
    test: { type: 'string', takes: 'dir', about: 'not used: the functions are computed' },
    json: { type: 'string', takes: 'file', about: 'also write the report as JSON' },
  },
)

interface TestFunction {
  readonly dimensions: number
  /** Of the unit cube. */
  readonly at: (point: readonly number[]) => number
  readonly least: number
}

const scaled = (point: readonly number[], low: number, high: number) => point.map((value) => low + (high - low) * value)

/** As in the usual collections (Surjanovic and Bingham, Virtual library of simulation experiments). */
const functions: Readonly<Record<string, TestFunction>> = {
  branin: {
    dimensions: 2,
    least: 0.397887,
    at([a = 0, b = 0]) {
      const [x, y] = [15 * a - 5, 15 * b]
      return (y - (5.1 / (4 * Math.PI ** 2)) * x * x + (5 / Math.PI) * x - 6) ** 2 + 10 * (1 - 1 / (8 * Math.PI)) * Math.cos(x) + 10
    },
  },
  'ackley-5': {
    dimensions: 5,
    least: 0,
    at(point) {
      const x = scaled(point, -32.768, 32.768)
      const squares = x.reduce((sum, value) => sum + value * value, 0) / x.length
      const waves = x.reduce((sum, value) => sum + Math.cos(2 * Math.PI * value), 0) / x.length
      return -20 * Math.exp(-0.2 * Math.sqrt(squares)) - Math.exp(waves) + 20 + Math.E
    },
  },
  'hartmann-6': {
    dimensions: 6,
    least: -3.32237,
    at(x) {
      const alpha = [1, 1.2, 3, 3.2]
      const a = [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
      ]
      const p = [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
      ]
      return -alpha.reduce(
        (sum, weight, row) =>
          sum +
          weight *
            Math.exp(-x.reduce((inner, value, place) => inner + (a[row]?.[place] ?? 0) * (value - (p[row]?.[place] ?? 0) / 1e4) ** 2, 0)),
        0,
      )
    },
  },
  'rosenbrock-4': {
    dimensions: 4,
    least: 0,
    at(point) {
      const x = scaled(point, -5, 10)
      return x.slice(1).reduce((sum, next, place) => sum + 100 * (next - (x[place] ?? 0) ** 2) ** 2 + (1 - (x[place] ?? 0)) ** 2, 0)
    },
  },
}

const ways: Readonly<Record<string, (dimensions: number, workers: number, random: Random) => Optimiser>> = {
  AEGiS: (dimensions, workers, random) => aegis({ dimensions, workers, random }),
  Thompson: (dimensions, workers, random) => thompson({ dimensions, workers, random }),
  random: (dimensions, _workers, random) => randomSearch({ dimensions, random }),
}

/**
 * The least value that was found: q workers on one virtual clock, each job as long as a half-normal draw (scale √(π/2), so a second on
 * average).
 */
async function leastFound(
  { dimensions, at }: TestFunction,
  make: (dimensions: number, workers: number, random: Random) => Optimiser,
  workers: number,
  budget: number,
  run: number,
): Promise<number> {
  const clock = virtualClock()
  const durations = childRandom(run, 'durations')
  const optimiser = make(dimensions, workers, childRandom(run, 'optimiser'))
  let begun = 0
  let least = Infinity
  await Promise.all(
    Array.from({ length: workers }, async () => {
      while (begun < budget) {
        begun += 1
        const point = optimiser.ask()
        await clock.sleep(Math.abs(normalDraw(durations)) * Math.sqrt(Math.PI / 2))
        const value = at(point)
        optimiser.tell(point, value)
        least = Math.min(least, value)
      }
    }),
  )
  return least
}

const startedAt = performance.now()
const [seeds, budget, seed] = [Number(values.seeds), Number(values.budget), Number(values.seed)]
const chosen = Object.entries(functions).filter(([name]) => values.functions === undefined || values.functions.split(',').includes(name))
const results: Record<string, unknown>[] = []
const rows: string[][] = []
const ranks = new Map<string, number[]>()
for (const [name, target] of chosen)
  for (const workers of values.workers.split(',').map(Number)) {
    const regrets = new Map<string, number[]>()
    for (let run = 0; run < seeds; run++) {
      const found: [string, number][] = []
      for (const [way, make] of Object.entries(ways))
        found.push([way, Math.log10(Math.max(1e-12, (await leastFound(target, make, workers, budget, seed + run)) - target.least))])
      for (const [way, regret] of found) {
        regrets.set(way, [...(regrets.get(way) ?? []), regret])
        ranks.set(way, [...(ranks.get(way) ?? []), 1 + found.filter(([, other]) => other < regret).length])
      }
    }
    for (const [way, all] of regrets) results.push({ function: name, workers, way, medianLogRegret: median(all), logRegrets: all })
    rows.push([name, String(workers), ...Object.keys(ways).map((way) => median(regrets.get(way) ?? []).toFixed(2))])
  }
const titles = Object.keys(ways).map((title) => ({ title, align: 'right' as const }))
process.stdout.write(
  `Median log10 of the regret after ${budget} jobs, ${seeds} seeds (lower is better).\n\n${table(['function', 'workers', ...titles], rows)}\n\n`,
)
const meanRank = (way: string) => (ranks.get(way) ?? []).reduce((sum, rank) => sum + rank, 0) / (ranks.get(way)?.length ?? 1)
process.stdout.write(
  `Mean rank over all of them (1 is best): ${Object.keys(ways)
    .map((way) => `${way} ${meanRank(way).toFixed(2)}`)
    .join(', ')}\n`,
)
if (values.json !== undefined)
  writeReport(values.json, {
    command: commandLine('bench:tuning'),
    seed,
    data: [],
    settings: values,
    baselines: { random: 'in the results', thompson: 'in the results' },
    results,
    seconds: (performance.now() - startedAt) / 1_000,
    version: packageVersion(),
  })
