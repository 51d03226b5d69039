/**
 * `npm run bench:preference`: users who weigh quality against cost differently (149 PersonalizedRouter, strategy 1 of its simulation): α in {0.2 … 1}, reward = α·quality +
 * (1 − α)·(1 − relative cost). Each user has said a few words about answers of arms drawn at random; then each is given, on requests that nobody has seen, the arm that the predictor
 * expects them to like best. `--train DIR --test DIR`, or cross-validated in halves.
 */
import { join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { predictorKinds, type Observation, type Predictor } from '../src/routing/index.js'
import { childRandom } from '../src/statistics/index.js'
import { createUnderstanding, fitIdf, type Features } from '../src/understanding/index.js'
import { loadLlmRouter } from './data/llmrouter.js'
import type { RoutingRow } from './data/routing-problem.js'
import { dataRoot, DataProblem } from './data/source.js'
import { commandLine, packageVersion, table, writeReport, type Estimate } from './report.js'
import { crossValidation, factsOf, heldOut } from './routing/world.js'

interface Settings {
  readonly train: string
  readonly test?: string
  readonly seed: number
  readonly users: number
  readonly words: number
  readonly asked: number
  readonly json?: string
}

const values = new Command('bench:preference')
  .option('--train <dir>', 'data sets to learn from (default: $BURSAR_DATA)', dataRoot())
  .option('--test <dir>', 'data sets to be measured on; without it: cross-validation in halves')
  .option('--seed <number>', 'of everything that is drawn', whole, 1)
  .option('--users <number>', 'users of each way of weighing', whole, 5)
  .option('--words <number>', 'what each user has said of answers before', whole, 20)
  .option('--asked <number>', 'requests of each user that are measured', whole, 40)
  .option('--json <file>', 'also write the report as JSON')
  .parse()
  .opts<Settings>()
const { seed, users: usersEach, words, asked: askedEach } = values
const alphas = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]
const startedAt = performance.now()

try {
  const train = loadLlmRouter(join(values.train, 'llmrouter_9models'))
  const test =
    values.test === undefined ? undefined : loadLlmRouter(join(values.test, 'llmrouter_9models'), join(values.train, 'llmrouter_9models'))
  const splits = test ? [heldOut(train, test)] : crossValidation(train.rows, 2, seed)
  const results = measure(splits, train.arms)
  console.log(
    `${commandLine('bench:preference')}; seed ${seed}; ${test ? 'measured on rows of --test' : '2-fold cross-validation'}; ${usersEach * alphas.length} users a part, ${words} words each, ${askedEach} requests each; costs: ${train.notes.join('; ')}`,
  )
  console.log(
    table(
      ['who chooses the arm', 'reward', 'of the oracle for each user'],
      results.map(({ label, reward, ofOracle }) => [label, shown(reward), shown(ofOracle)]),
    ),
  )
  if (values.json !== undefined)
    writeReport(values.json, {
      command: commandLine('bench:preference'),
      seed,
      data: [...train.sources, ...(test?.sources ?? [])],
      settings: { usersEach, words, askedEach, alphas },
      baselines: results.filter(({ baseline }) => baseline),
      results: results.filter(({ baseline }) => !baseline),
      seconds: (performance.now() - startedAt) / 1000,
      version: packageVersion(),
    })
} catch (thrown) {
  if (!(thrown instanceof DataProblem)) throw thrown
  process.stderr.write(`bench:preference: ${thrown.message}\n`)
  process.exitCode = 1
}

interface Result {
  readonly label: string
  readonly baseline: boolean
  readonly reward: Estimate
  readonly ofOracle: Estimate
}

interface User {
  readonly name: string
  readonly alpha: number
}

function measure(
  splits: readonly { readonly train: readonly RoutingRow[]; readonly test: readonly RoutingRow[] }[],
  arms: readonly string[],
): readonly Result[] {
  const rewards = new Map<string, number[]>()
  const oracles: number[] = []
  const add = (label: string, reward: number) => void (rewards.get(label)?.push(reward) ?? rewards.set(label, [reward]))
  for (const [fold, { train, test }] of splits.entries()) {
    const random = childRandom(seed + fold, 'users')
    const draw = <T>(list: readonly T[]): T => list[Math.floor(random.next() * list.length)] as T
    const understanding = createUnderstanding({ idf: fitIdf(train.map(({ text }) => text)), cacheEntries: 0 })
    const most = Math.max(...train.flatMap(({ outcomes }) => Object.values(outcomes).map(({ usd }) => usd)))
    // Dollars on a logarithmic scale from the cheapest to the dearest answer of the training rows: a model that costs half is as much nearer wherever it stands.
    const least = Math.min(...train.flatMap(({ outcomes }) => Object.values(outcomes).map(({ usd }) => usd)))
    const costOf = (usd: number) => Math.max(0, Math.min(1, Math.log(usd / least) / Math.log(most / least)))
    const rewardOf = (row: RoutingRow, arm: string, alpha: number) =>
      alpha * (row.outcomes[arm]?.quality ?? 0) + (1 - alpha) * (1 - costOf(row.outcomes[arm]?.usd ?? most))
    const users: readonly User[] = alphas.flatMap((alpha) =>
      Array.from({ length: usersEach }, (_, at) => ({ name: `${fold}:${alpha}:${at}`, alpha })),
    )
    const featuresOf = new Map<RoutingRow, Features>()
    const features = (row: RoutingRow) => featuresOf.get(row) ?? (featuresOf.set(row, understanding.ofText(row.text)).get(row) as Features)
    const heard = users.flatMap(({ name, alpha }) =>
      Array.from({ length: words }, (): Observation => {
        const [row, arm] = [draw(train), draw(arms)]
        return { features: features(row), arm, user: name, quality: rewardOf(row, arm, alpha), usd: row.outcomes[arm]?.usd }
      }),
    )
    const trained = (kind: string, settings: unknown, observations: readonly Observation[]): Predictor => {
      const found = predictorKinds[kind]
      if (!found) throw new Error(`there is no predictor ${kind}`)
      return found.train(observations, factsOf(arms), settings, seed)
    }
    const bases = ['domain', 'ridge']
    const shared = new Map(bases.map((kind) => [kind, trained(kind, {}, heard)]))
    const personal = new Map(bases.map((kind) => [kind, trained('preference', { base: { kind } }, heard)]))
    const meanOf = (arm: string, alpha: number) => train.reduce((sum, row) => sum + rewardOf(row, arm, alpha), 0) / train.length
    const fixed = best(arms, (arm) => users.reduce((sum, { alpha }) => sum + meanOf(arm, alpha), 0))
    const fixedOf = new Map(alphas.map((alpha) => [alpha, best(arms, (arm) => meanOf(arm, alpha))]))
    for (const { name, alpha } of users) {
      const asked = Array.from({ length: askedEach }, () => draw(test))
      const mean = (pick: (row: RoutingRow) => string) =>
        asked.reduce((sum, row) => sum + rewardOf(row, pick(row), alpha), 0) / asked.length
      const expected = (predictor: Predictor | undefined, user?: string) => (row: RoutingRow) => {
        const estimates = predictor?.predict(features(row), arms, user) ?? []
        return best(arms, (arm) => estimates[arms.indexOf(arm)]?.quality?.mean ?? 0)
      }
      add(
        'an arm drawn at random',
        mean(() => draw(arms)),
      )
      add(
        'the best arm for all users',
        mean(() => fixed),
      )
      for (const kind of bases) add(`${kind}, the same for all users`, mean(expected(shared.get(kind))))
      for (const kind of bases) add(`preference (149) over ${kind}`, mean(expected(personal.get(kind), name)))
      add(
        'the best arm for each α, told α and all training rows',
        mean(() => fixedOf.get(alpha) ?? fixed),
      )
      oracles.push(mean((row) => best(arms, (arm) => rewardOf(row, arm, alpha))))
    }
  }
  return [...rewards].map(([label, list]) => ({
    label,
    baseline: !label.startsWith('preference'),
    reward: bootstrap(list),
    ofOracle: bootstrap(list, oracles),
  }))
}

function best(arms: readonly string[], value: (arm: string) => number): string {
  let [found, highest] = [arms[0] ?? '', -Infinity]
  for (const arm of arms) {
    const own = value(arm)
    if (own > highest) [found, highest] = [arm, own]
  }
  return found
}

/** Mean over users, or the share of another mean; percentile bootstrap of users. */
function bootstrap(list: readonly number[], of?: readonly number[]): Estimate {
  const random = childRandom(seed, 'bootstrap of users')
  const ratio = (pick: (at: number) => number) => {
    let [top, bottom] = [0, 0]
    for (let at = 0; at < list.length; at++) {
      const user = pick(at)
      top += list[user] ?? 0
      bottom += of?.[user] ?? 1
    }
    return top / bottom
  }
  const draws = Array.from({ length: 1000 }, () => ratio(() => Math.floor(random.next() * list.length))).sort((a, b) => a - b)
  return {
    value: ratio((at) => at),
    low: draws[25] ?? NaN,
    high: draws[975] ?? NaN,
    n: list.length,
    method: 'percentile bootstrap of users, 95 %',
  }
}

function shown({ value, low, high }: Estimate): string {
  return `${value.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`
}

function whole(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('expected a whole number above 0.')
  return value
}
