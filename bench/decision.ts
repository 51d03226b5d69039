/**
 * `npm run bench:decision`: what one decision over 20 arms costs in CPU and memory with 100,000 remembered outcomes, and what the bounded search loses against comparing
 * everything. Texts are made up (words by Zipf's law around topics), so that it runs without any data set; features are computed before and timed apart.
 */
import { Command, InvalidArgumentError } from 'commander'
import { predictorKinds, type Estimate, type Observation } from '../src/routing/index.js'
import { measuresRecall } from '../src/routing/predictors/knn.js'
import { childRandom, quantile, type Random } from '../src/statistics/index.js'
import { createUnderstanding, fitIdf, type Features } from '../src/understanding/index.js'
import { commandLine, figure, packageVersion, table, writeReport } from './report.js'
import { chooser } from './routing/choosing.js'

const armCount = 20
const topics = 50
const vocabulary = 20_000

const settings = new Command('bench:decision')
  .option('--outcomes <number>', 'outcomes remembered', whole, 100_000)
  .option('--decisions <number>', 'decisions timed', whole, 2000)
  .option('--seed <number>', 'of the texts and outcomes', whole, 1)
  .option('--json <file>', 'also write the report as JSON')
  .parse()
  .opts<{ outcomes: number; decisions: number; seed: number; json?: string }>()

const started = performance.now()
const random = childRandom(settings.seed, 'requests')
const arms = Array.from({ length: armCount }, (_, arm) => `arm-${arm}`)
const facts = arms.map((id) => ({ id, card: {} }))
const made = Array.from({ length: settings.outcomes + settings.decisions }, () => request(random))
const idf = fitIdf(made.slice(0, 5000).map(({ text }) => text))
const understanding = createUnderstanding({ idf, cacheEntries: 0 })
const understood: Features[] = []
const featureMicros = timed(made.length, (at) => understood.push(understanding.ofText(made[at]?.text ?? '')))
const observations = made.slice(0, settings.outcomes).map(({ topic }, at): Observation => {
  const arm = Math.floor(random.next() * armCount)
  return {
    features: understood[at] as Features,
    arm: arms[arm] ?? '',
    quality: random.next() < skill(topic, arm) ? 1 : 0,
    usd: 0.001 * (arm + 1),
    outputTokens: 200,
  }
})
const asked = made.slice(settings.outcomes)
const askedFeatures = understood.slice(settings.outcomes)

const learning = process.cpuUsage()
const before = process.memoryUsage()
const predictor = kind('knn').train(observations, facts, {}, settings.seed)
const learned = process.cpuUsage(learning)
const after = process.memoryUsage()
const bytes = predictor.serialize()
const exact = kind('knn').load(bytes, facts, { exact: true })

const choose = chooser(arms, 'arm-0')
const estimates: (readonly Estimate[])[] = []
const decide = (at: number) => {
  const features = askedFeatures[at] as Features
  const found = predictor.predict(features, arms)
  estimates[at] = found
  choose(features, predictor.familiarity(features), found, 0.01)
}
for (let at = 0; at < Math.min(500, asked.length); at++) decide(at)
const micros = timed(asked.length, decide)
const compared = Math.min(200, asked.length)
const exactEstimates = askedFeatures.slice(0, compared).map((features) => exact.predict(features, arms))
const recalled = askedFeatures.slice(0, Math.min(50, compared))
const recall = measuresRecall(predictor) ? average(recalled.map((features) => predictor.recall(features))) : NaN
const updates = timed(Math.min(1000, asked.length), (at) =>
  predictor.update({ features: askedFeatures[at] as Features, arm: 'arm-3', quality: 1, usd: 0.001, outputTokens: 100 }),
)

const errorOf = (all: readonly (readonly Estimate[])[]) =>
  Math.sqrt(
    average(
      all
        .slice(0, compared)
        .flatMap((row, at) => row.map(({ quality }, arm) => ((quality?.mean ?? 0.5) - skill(asked[at]?.topic ?? 0, arm)) ** 2)),
    ),
  )
const chosenSkill = (all: readonly (readonly Estimate[])[]) =>
  average(
    all.slice(0, compared).map((row, at) =>
      skill(
        asked[at]?.topic ?? 0,
        row.reduce((best, one, arm) => ((one.quality?.mean ?? 0) > (row[best]?.quality?.mean ?? 0) ? arm : best), 0),
      ),
    ),
  )
const results = {
  decisionMicros: { p50: quantile(micros, 0.5), p99: quantile(micros, 0.99) },
  featuresMicros: { p50: quantile(featureMicros, 0.5), p99: quantile(featureMicros, 0.99) },
  updateMicros: { p50: quantile(updates, 0.5), p99: quantile(updates, 0.99) },
  trainingCpuSeconds: (learned.user + learned.system) / 1e6,
  residentMegabytes: (after.rss - before.rss) / 1e6,
  arrayMegabytes: (after.arrayBuffers - before.arrayBuffers) / 1e6,
  serializedMegabytes: bytes.length / 1e6,
  recall,
  error: { bounded: errorOf(estimates), exact: errorOf(exactEstimates) },
  chosenQuality: {
    bounded: chosenSkill(estimates),
    exact: chosenSkill(exactEstimates),
    bestPossible: average(asked.slice(0, compared).map(({ topic }) => Math.max(...arms.map((_, arm) => skill(topic, arm))))),
  },
}
console.log(
  `${commandLine('bench:decision')}; seed ${settings.seed}; ${settings.outcomes} outcomes, ${armCount} arms; CPU time of the process, one thread\n`,
)
console.log(
  table(
    ['what', 'p50', 'p99'],
    [
      [
        'decision over 20 arms (estimates, familiarity, rule), ms CPU',
        milli(results.decisionMicros.p50),
        milli(results.decisionMicros.p99),
      ],
      ['features of the text before it, ms CPU', milli(results.featuresMicros.p50), milli(results.featuresMicros.p99)],
      ['one update, all places taken, ms CPU', milli(results.updateMicros.p50), milli(results.updateMicros.p99)],
    ],
  ),
)
console.log(
  `\ntrained in ${figure(results.trainingCpuSeconds, 1)} s CPU; memory: arrays ${figure(results.arrayMegabytes, 0)} MB, resident ${figure(results.residentMegabytes, 0)} MB; state ${figure(results.serializedMegabytes, 0)} MB`,
)
const { error, chosenQuality } = results
console.log(`against the exact scan, ${recalled.length} requests: ${figure(100 * recall, 1)} % of its nearest 256 found`)
console.log(
  `against the exact scan, ${compared} requests: root mean squared error of quality ${figure(error.bounded, 4)} (exact ${figure(error.exact, 4)});`,
)
console.log(
  `  true quality of the arm expected best ${figure(chosenQuality.bounded, 4)} (exact ${figure(chosenQuality.exact, 4)}, best possible ${figure(chosenQuality.bestPossible, 4)})`,
)
if (settings.json !== undefined) {
  const { json: _file, ...kept } = settings
  writeReport(settings.json, {
    command: commandLine('bench:decision'),
    seed: settings.seed,
    data: [],
    settings: kept,
    baselines: { exact: results.error.exact },
    results,
    seconds: (performance.now() - started) / 1000,
    version: packageVersion(),
  })
}

function kind(name: string) {
  const found = predictorKinds[name]
  if (!found) throw new Error(`there is no predictor ${name}`)
  return found
}

/** CPU microseconds of each call. */
function timed(count: number, run: (at: number) => void): number[] {
  return Array.from({ length: count }, (_, at) => {
    const begun = process.cpuUsage()
    run(at)
    const { user, system } = process.cpuUsage(begun)
    return user + system
  })
}

/** About twenty words: half of them from the topic's own, all by Zipf's law. */
function request(from: Random): { text: string; topic: number } {
  const topic = Math.floor(from.next() * topics)
  const words = Array.from({ length: 12 + Math.floor(from.next() * 16) }, () => {
    const rank = Math.floor(Math.exp(from.next() * Math.log(vocabulary)))
    return from.next() < 0.5 ? word(rank) : word(vocabulary + topic * 400 + (rank % 400))
  })
  return { text: words.join(' '), topic }
}

/** A made-up word for a number: syllables, so that its character n-grams are like words' own. */
function word(number: number): string {
  const syllables = ['ka', 'mo', 'ri', 'te', 'nu', 'sol', 'ba', 'ver', 'lin', 'do', 'fa', 'gre', 'hy', 'pra', 'qui', 'zan']
  let text = ''
  for (let rest = number + 16; rest > 0; rest = Math.floor(rest / 16)) text += syllables[rest % 16] ?? ''
  return text
}

/** Probability that an arm is right on a topic: fixed by both. */
function skill(topic: number, arm: number): number {
  return 0.2 + 0.6 * childRandom(topic * 1000 + arm, 'skill').next()
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function milli(micros: number): string {
  return (micros / 1000).toFixed(3)
}

function whole(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('expected a whole number above 0.')
  return value
}
