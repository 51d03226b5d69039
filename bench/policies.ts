/**
 * `npm run bench:policies`: the policies and the learning around them. Pacing of a budget by dual prices (158) on the real outcomes of RouteLLM's GSM8K and on a stream that drifts; bandits
 * in a simulated world; what an attacker or a judge that flips can move with and without the guard; the auction's simulator (143). Everything runs the product's own policies and predictors.
 * `--train DIR` and `--test DIR` are data roots; with `--train` alone (or neither) RouteLLM's rows are halved by the seed, one half to train and one to test, and the other way round.
 */
import { join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { predictorKinds, type ArmFacts, type Observation } from '../src/routing/index.js'
import { childRandom, normalDraw, type Random } from '../src/statistics/index.js'
import { createUnderstanding } from '../src/understanding/index.js'
import { loadRouteLlmGsm8k } from './data/routellm.js'
import { DataProblem, dataRoot } from './data/source.js'
import { auctions } from './policies/auction.js'
import { bandits } from './policies/bandits.js'
import { paced, type PacedRow, type PacedTask } from './policies/pacing.js'
import { poisoned } from './policies/poison.js'
import { estimateOf, featuresOf, shown } from './policies/scene.js'
import { commandLine, packageVersion, table, writeReport, type DataSource } from './report.js'

interface Settings {
  readonly train?: string
  readonly test?: string
  readonly rounds: number
  readonly seed: number
  readonly json?: string
}

const settings = new Command('bench:policies')
  .option('--train <dir>', 'data root to train on')
  .option('--test <dir>', 'data root to test on; without it the rows are halved')
  .option('--rounds <number>', 'requests of a bandit run', whole, 2000)
  .option('--seed <number>', 'seed of every draw and split', whole, 1)
  .option('--json <file>', 'also write the report as JSON')
  .parse()
  .opts<Settings>()

const started = performance.now()
const { seed } = settings
const shares = [0.25, 0.5, 0.75]
console.log(`Policies, seed ${seed}\n`)

// Pacing ---------------------------------------------------------------------------------------------------------------------

const LARGE = 'gpt-4-1106-preview'
const SMALL = 'mixtral-8x7b-instruct'

interface RealTask {
  readonly observations: readonly Observation[]
  readonly quality: PacedTask['quality']
  readonly usd: PacedTask['usd']
}

function realTasks(root: string, sources: DataSource[]): readonly RealTask[] {
  const loaded = loadRouteLlmGsm8k(join(root, 'routellm'))
  sources.push(...loaded.sources)
  const understanding = createUnderstanding()
  return [...loaded.rows].map(({ request, outcomes }) => {
    const features = understanding.ofText(String(request.messages[0]?.content))
    const of = (arm: string) => {
      const outcome = outcomes[arm]
      const price = loaded.prices[arm]
      const dollars = ((outcome?.inputTokens ?? 0) * (price?.input ?? NaN) + (outcome?.outputTokens ?? 0) * (price?.output ?? NaN)) / 1e6
      return { quality: outcome?.quality ?? 0, dollars }
    }
    const [large, small] = [of(LARGE), of(SMALL)]
    return {
      observations: [
        { features, arm: LARGE, quality: large.quality, usd: large.dollars },
        { features, arm: SMALL, quality: small.quality, usd: small.dollars },
      ],
      quality: { large: large.quality, small: small.quality },
      usd: { large: large.dollars, small: small.dollars },
    }
  })
}

const facts: readonly ArmFacts[] = [LARGE, SMALL].map((id) => ({ id, card: {} }))

/** The estimates of `rows` by k-NN trained on `on`. */
function estimated(on: readonly RealTask[], rows: readonly RealTask[]): readonly PacedTask[] {
  const kind = predictorKinds['knn']
  if (!kind) throw new Error('there is no knn predictor')
  const predictor = kind.train(
    on.flatMap(({ observations }) => observations),
    facts,
    {},
    seed,
  )
  return rows.flatMap(({ observations, quality, usd }) => {
    const features = observations[0]?.features
    const [large, small] = features ? predictor.predict(features, [LARGE, SMALL]) : []
    return features && large && small
      ? [
          {
            features,
            quality,
            usd,
            estimates: [
              { ...large, arm: 'large' },
              { ...small, arm: 'small' },
            ] as const,
          },
        ]
      : []
  })
}

/** Training rows get their estimates from the other half of the training rows, as test rows do from all. */
function pacedReal(train: readonly RealTask[], test: readonly RealTask[]): readonly (readonly PacedRow[])[] {
  const half = train.length >> 1
  const [first, second] = [train.slice(0, half), train.slice(half)]
  const tuned = [...estimated(second, first), ...estimated(first, second)]
  const tested = estimated(train, test)
  return shares.map((share) => paced(tuned, tested, share, seed))
}

/** Questions whose small-arm chance is drawn; `hard` shifts it down. Estimates are the truth plus noise. */
function simulatedStream(count: number, hard: (at: number) => number, random: Random): readonly PacedTask[] {
  return Array.from({ length: count }, (_, at) => {
    const ability = normalDraw(random) - hard(at)
    const chances = { large: logistic(2 + ability), small: logistic(0.4 + 1.6 * ability) }
    const work = Math.exp(0.5 * normalDraw(random))
    const usd = { large: 0.01 * work, small: 0.0004 * work }
    const noisy = (chance: number) => chance + 0.1 * normalDraw(random)
    return {
      features: featuresOf([1]),
      quality: { large: Number(random.next() < chances.large), small: Number(random.next() < chances.small) },
      usd,
      estimates: [
        estimateOf('large', noisy(chances.large), 0.01, 0.01 * Math.exp(0.125)),
        estimateOf('small', noisy(chances.small), 0.01, 0.0004 * Math.exp(0.125)),
      ],
    }
  })
}

const data: DataSource[] = []
const pacing: Record<string, readonly (readonly PacedRow[])[]> = {}
try {
  const root = settings.train ?? dataRoot()
  const rows = shuffled(realTasks(root, data), childRandom(seed, 'rows'))
  if (settings.test !== undefined) pacing['RouteLLM GSM8K'] = pacedReal(rows, realTasks(settings.test, data))
  else {
    const half = rows.length >> 1
    console.log('No --test: the rows of RouteLLM GSM8K are halved by the seed; each half is tested with the other as training rows.\n')
    pacing['RouteLLM GSM8K, half 2'] = pacedReal(rows.slice(0, half), rows.slice(half))
    pacing['RouteLLM GSM8K, half 1'] = pacedReal(rows.slice(half), rows.slice(0, half))
  }
} catch (thrown) {
  if (!(thrown instanceof DataProblem)) throw thrown
  // The simulated parts need no data.
  process.stderr.write(`bench:policies, RouteLLM: ${thrown.message}\n`)
  process.exitCode = 1
}
const stream = childRandom(seed, 'stream')
const steady = simulatedStream(2000, () => 0, stream)
const alike = simulatedStream(2000, () => 0, stream)
pacing['simulated, as the training rows'] = shares.map((share) => paced(steady, alike, share, seed))
const drifting = simulatedStream(2000, (at) => (at < 1000 ? -0.5 : 1), stream)
pacing['simulated, harder from the middle on'] = shares.map((share) => paced(steady, drifting, share, seed))

for (const [name, byShare] of Object.entries(pacing)) {
  console.log(`Quality under a budget of a share of all-large spend: ${name}, n = ${byShare[0]?.[0]?.quality.n ?? 0}`)
  const policies = byShare[0]?.map(({ policy }) => policy) ?? []
  console.log(
    table(
      [
        'policy',
        ...shares.flatMap((share) => [
          { title: `quality at ${share * 100} %`, align: 'right' as const },
          { title: 'spent', align: 'right' as const },
        ]),
      ],
      policies.map((policy, index) => [
        policy,
        ...byShare.flatMap((rows) => {
          const row = rows[index]
          return row
            ? [shown(row.quality), `${(row.spentShare * 100).toFixed(1)} %${row.unanswered > 0 ? `, ${row.unanswered} unanswered` : ''}`]
            : ['–', '–']
        }),
      ]),
    ),
  )
  console.log('')
}

// Bandits --------------------------------------------------------------------------------------------------------------------

const seeds = 10
const learners = bandits(settings.rounds, seeds, seed)
console.log(
  `Bandits in a simulated world: ${settings.rounds} requests, ${seeds} seeds, four arms; value lost a request against the oracle (bootstrap over seeds)`,
)
console.log(
  table(
    ['policy', { title: 'regret', align: 'right' }, { title: 'in the last quarter', align: 'right' }],
    learners.map(({ policy, regret, lateRegret }) => [policy, shown(regret, 4), shown(lateRegret, 4)]),
  ),
)

// Poison ---------------------------------------------------------------------------------------------------------------------

const attacks = poisoned(2000, 2000, seed)
console.log('\nAn attack of 2,000 outcomes after 2,000 honest ones (bound stated for a key: 0.2)')
console.log(
  table(
    ['attack', 'predictor', { title: 'shift of predicted quality', align: 'right' }, { title: 'traffic moved', align: 'right' }, 'counted'],
    attacks.map(({ attack, predictor, shift, trafficMoved, note }) => [
      attack,
      predictor,
      shift.toFixed(3),
      `${(trafficMoved * 100).toFixed(1)} %`,
      note,
    ]),
  ),
)

// Auctions -------------------------------------------------------------------------------------------------------------------

const sigmas = [0.1, 0.3, 0.6, 1]
const sales = sigmas.map((sigma) => ({ sigma, rows: auctions(sigma, 4000, seed) }))
for (const { sigma, rows } of sales) {
  console.log(
    `\nAuction simulator, judges' noise σ = ${sigma}, n = ${rows[0]?.success.n ?? 0}; cost relative to the largest agent alone, plans and judges at 4 % of the work they are for`,
  )
  console.log(
    table(
      ['chooser', { title: 'success', align: 'right' }, { title: 'cost', align: 'right' }, { title: 'use of the largest', align: 'right' }],
      rows.map(({ chooser, success, cost, shareOfLargest }) => [
        chooser,
        shown(success),
        `${(cost * 100).toFixed(1)} %`,
        `${(shareOfLargest * 100).toFixed(1)} %`,
      ]),
    ),
  )
}

const seconds = (performance.now() - started) / 1000
console.log(`\n${seconds.toFixed(1)} s`)
if (settings.json !== undefined)
  writeReport(settings.json, {
    command: commandLine('bench:policies'),
    seed,
    data,
    settings: { rounds: settings.rounds, shares, sigmas, seeds },
    baselines: 'in the same tables: fixed arms, random, greedy, a tuned threshold, oracle',
    results: { pacing, bandits: learners, poison: attacks, auctions: sales },
    seconds,
    version: packageVersion(),
  })

function logistic(x: number): number {
  return 1 / (1 + Math.exp(-x))
}

function shuffled<T>(values: readonly T[], random: Random): readonly T[] {
  return values
    .map((value) => ({ value, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value)
}

function whole(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('a whole number')
  return value
}
