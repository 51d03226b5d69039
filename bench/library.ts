/**
 * `npm run bench:library`: whether a library of strategies gets better with experience (EGuR, 109). A simulated world with declared rates
 * (`src/strategies/library/fixtures/puzzles.ts`): three kinds of puzzles, two models, a guide that proposes strategies without knowing which are good. Cost
 * per solved puzzle over time, everything that the guide took included. Baselines on the same puzzles: fixed self-consistency (six samples), one call, and the
 * best strategy of each kind, known beforehand. Intervals: percentile bootstrap over seeds. Nothing here was measured on a real model.
 */
import { Command, InvalidArgumentError } from 'commander'
import { quantile, seededRandom } from '../src/statistics/index.js'
import {
  kindsOf,
  lambda,
  oneCall,
  playFixed,
  playLibrary,
  playOracle,
  selfConsistency,
  type Played,
} from '../src/strategies/library/fixtures/puzzles.js'
import { commandLine, figure, packageVersion, table, writeReport, type Estimate } from './report.js'

interface Settings {
  readonly puzzles: number
  readonly windows: number
  readonly seeds: number
  readonly seed: number
  readonly json?: string
}

const settings = new Command('bench:library')
  .option('--puzzles <number>', 'puzzles for each seed', whole, 480)
  .option('--windows <number>', 'parts of the time that are told apart', whole, 4)
  .option('--seeds <number>', 'runs with seeds of their own', whole, 20)
  .option('--seed <number>', 'the first seed', whole, 1)
  .option('--json <file>', 'also write the report as JSON')
  .parse()
  .opts<Settings>()

const started = performance.now()
const { puzzles, windows, seeds } = settings
console.log(
  `A library of strategies in a simulated world: ${seeds} seeds from ${settings.seed}, ${puzzles} puzzles each, a right answer worth $${lambda}\n`,
)

const players = ['library', 'self-consistency (6)', 'one call', 'best of each kind (oracle)'] as const
type Player = (typeof players)[number]

/** By player, then by seed. */
const games = new Map<Player, (readonly Played[])[]>(players.map((player) => [player, []]))
let [guideUsd, allUsd, entries] = [0, 0, 0]
for (let seed = settings.seed; seed < settings.seed + seeds; seed++) {
  const order = kindsOf(puzzles, seed)
  const { played, library } = await playLibrary(order, seed)
  const { runs, guide } = library.spent
  guideUsd += guide
  allUsd += runs + guide
  entries += library.entries.length
  games.get('library')?.push(played)
  games.get('self-consistency (6)')?.push(await playFixed(selfConsistency, order, seed))
  games.get('one call')?.push(await playFixed(oneCall, order, seed))
  games.get('best of each kind (oracle)')?.push(await playOracle(order, seed))
}

interface Sums {
  readonly solved: number
  readonly usd: number
  readonly played: number
}

function sumsOf(played: readonly Played[]): Sums {
  return { solved: played.filter(({ solved }) => solved).length, usd: played.reduce((sum, { usd }) => sum + usd, 0), played: played.length }
}

function pooled(sums: readonly Sums[]): Sums {
  return sums.reduce((all, one) => ({ solved: all.solved + one.solved, usd: all.usd + one.usd, played: all.played + one.played }), {
    solved: 0,
    usd: 0,
    played: 0,
  })
}

/** A ratio of sums over seeds; its interval by drawing seeds again, 2,000 times. */
function estimate(sums: readonly Sums[], ratio: (all: Sums) => number): Estimate {
  const random = seededRandom(settings.seed)
  const draws = Array.from({ length: 2000 }, () =>
    ratio(pooled(sums.map(() => sums[Math.floor(random.next() * sums.length)] ?? { solved: 0, usd: 0, played: 0 }))),
  )
  return {
    value: ratio(pooled(sums)),
    low: quantile(draws, 0.025),
    high: quantile(draws, 0.975),
    n: sums.length,
    method: 'percentile bootstrap over seeds, 95 %',
  }
}

const milliUsd = ({ solved, usd }: Sums) => (1000 * usd) / solved
const share = ({ solved, played }: Sums) => solved / played
const text = ({ value, low, high }: Estimate, digits: number) =>
  `${figure(value, digits)} (${figure(low, digits)} to ${figure(high, digits)})`

const size = Math.floor(puzzles / windows)
const parts = [
  ...Array.from(
    { length: windows },
    (_, index) => [`${index * size + 1} to ${(index + 1) * size}`, index * size, (index + 1) * size] as const,
  ),
  ['all', 0, puzzles] as const,
]
const results = players.map((player) => ({
  player,
  parts: parts.map(([name, from, to]) => {
    const sums = (games.get(player) ?? []).map((played) => sumsOf(played.slice(from, to)))
    return { puzzles: name, milliUsdPerSolved: estimate(sums, milliUsd), solved: estimate(sums, share) }
  }),
}))

console.log('Thousandths of a dollar for each solved puzzle (95 % interval)\n')
console.log(
  table(
    ['puzzles', ...players],
    parts.map(([name], index) => [
      name,
      ...results.map(({ parts: found }) => (found[index] === undefined ? '–' : text(found[index].milliUsdPerSolved, 3))),
    ]),
  ),
)
console.log('\nShare of puzzles solved (95 % interval)\n')
console.log(
  table(
    ['puzzles', ...players],
    parts.map(([name], index) => [
      name,
      ...results.map(({ parts: found }) => (found[index] === undefined ? '–' : text(found[index].solved, 3))),
    ]),
  ),
)
console.log(
  `\nThe guide took ${figure((100 * guideUsd) / allUsd, 1)} % of the library's spending (at most 5 % are allowed); ${figure(entries / seeds, 1)} strategies in the library at the end.`,
)

if (settings.json !== undefined) {
  const [library, ...baselines] = results
  writeReport(settings.json, {
    command: commandLine('bench:library'),
    seed: settings.seed,
    data: [],
    settings,
    baselines,
    results: { library, guideShare: guideUsd / allUsd },
    seconds: (performance.now() - started) / 1000,
    version: packageVersion(),
  })
}

function whole(value: string): number {
  const number = Number(value)
  if (!Number.isSafeInteger(number) || number < 1) throw new InvalidArgumentError('expected a whole number above 0')
  return number
}
