/**
 * `npm run bench:routing`: predictors and the product's decision rule on recorded outcomes of real models. `--train DIR --test DIR`: learns from the one split and is measured
 * on the other. Only `--train` (or neither): cross-validated in five parts. Nothing is chosen on rows that are measured on.
 */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { ranking } from '../src/evaluation/index.js'
import { calibrationError, seededRandom } from '../src/statistics/index.js'
import { embeddedEncoder, type Encoder } from '../src/understanding/index.js'
import { loadEllieSql } from './data/elliesql.js'
import { loadLlmRouter } from './data/llmrouter.js'
import { loadRouteLlmGsm8kRouting, loadRouteLlmMmlu } from './data/routellm-mmlu.js'
import { loadRouterArena } from './data/routerarena.js'
import { loadRouterBench } from './data/routerbench.js'
import { loadRouterDc } from './data/routerdc.js'
import type { RoutingProblem, RoutingRow } from './data/routing-problem.js'
import { dataRoot, DataProblem } from './data/source.js'
import { commandLine, figure, packageVersion, table, writeReport, type Estimate } from './report.js'
import { contenders, type Contender } from './routing/contenders.js'
import { curveEstimates, pairedEstimates, pairEstimates, type Point } from './routing/measures.js'
import { bestOn, cheapestOn, play, pointOf, tradeOffs, type Played } from './routing/run.js'
import { keptVectors } from './routing/vectors.js'
import { crossValidation, heldOut, judgeable, understand } from './routing/world.js'

interface Settings {
  readonly train: string
  readonly test?: string
  readonly data?: readonly string[]
  readonly only?: readonly string[]
  readonly vectors: string
  readonly seed: number
  readonly folds: number
  readonly dense: boolean
  readonly told: boolean
  readonly pipelineCosts: readonly [number, number, number]
  readonly json?: string
}

const loaders: Readonly<Record<string, (root: string, settings: Settings) => RoutingProblem>> = {
  'routellm-mmlu': (root) => loadRouteLlmMmlu(join(root, 'routellm')),
  'routellm-gsm8k': (root) => loadRouteLlmGsm8kRouting(join(root, 'routellm')),
  llmrouter: (root, { train }) => loadLlmRouter(join(root, 'llmrouter_9models'), join(train, 'llmrouter_9models')),
  routerbench: (root) => loadRouterBench(join(root, 'routerbench_subset')),
  routerarena: (root) => loadRouterArena(join(root, 'routerarena')),
  routerdc: (root) => loadRouterDc(join(root, 'routerdc_7models')),
  elliesql: (root, { pipelineCosts }) => loadEllieSql(join(root, 'elliesql_bird'), pipelineCosts),
}

const settings = new Command('bench:routing')
  .option('--train <dir>', 'data sets to learn from (default: $BURSAR_DATA)', dataRoot())
  .option('--test <dir>', 'data sets to be measured on; without it: cross-validation on those to learn from')
  .option('--data <names...>', `which data sets: ${Object.keys(loaders).join(', ')} (default: all)`)
  .option('--seed <number>', 'of everything that is drawn', whole, 1)
  .option('--folds <number>', 'parts of the cross-validation', whole, 5)
  .option('--only <labels...>', `which routers: ${contenders.map(({ label }) => `"${label}"`).join(', ')} (default: all)`)
  .option('--dense', 'adds the embedded sentence encoder to the features', false)
  .option('--vectors <dir>', 'where vectors of the encoder are kept between runs', join(tmpdir(), 'bursar-bench-vectors'))
  .option('--told', 'tells the category of measured rows too (a live gateway does not know it)', false)
  .option('--pipeline-costs <costs>', 'tokens of the three text-to-SQL pipelines, relative', threeNumbers, [1, 3, 8] as const)
  .option('--json <file>', 'also write the report as JSON')
  .parse()
  .opts<Settings>()

const started = performance.now()
// A gateway gives up on an encoder that is late; here nothing waits, and the machine may be busy.
const encoder = settings.dense
  ? keptVectors(embeddedEncoder({ maxWaiting: 100_000, batchSeconds: 3600, openSeconds: 3600 }), settings.vectors)
  : undefined
try {
  const chosen = chosenContenders(settings.only)
  const names = settings.data ?? Object.keys(loaders)
  const results: Record<string, unknown> = {}
  const sources = []
  console.log(
    `${commandLine('bench:routing')}; seed ${settings.seed}; ${settings.test ? `learned from ${settings.train}, measured on ${settings.test}` : `no --test: ${settings.folds}-fold cross-validation`}`,
  )
  for (const name of names) {
    const load = loaders[name]
    if (!load) throw new DataProblem(`There is no data set "${name}"; there are ${Object.keys(loaders).join(', ')}.`)
    try {
      const train = load(settings.train, settings)
      const test = settings.test === undefined ? undefined : load(settings.test, settings)
      results[name] = await measure(train, test, encoder, chosen)
      sources.push(...train.sources, ...(test?.sources ?? []))
    } catch (thrown) {
      // A data set that isn't there, or can't be read, costs its own part only.
      if (!(thrown instanceof DataProblem)) throw thrown
      process.stderr.write(`bench:routing, ${name}: ${thrown.message}\n`)
      process.exitCode = 1
    }
  }
  if (settings.json !== undefined) {
    const { json: _file, ...kept } = settings
    writeReport(settings.json, {
      command: commandLine('bench:routing'),
      seed: settings.seed,
      data: sources,
      settings: kept,
      baselines: chosen.filter(({ baseline }) => baseline),
      results,
      seconds: (performance.now() - started) / 1000,
      version: packageVersion(),
    })
  }
} catch (thrown) {
  process.stderr.write(
    `bench:routing: ${thrown instanceof DataProblem ? thrown.message : thrown instanceof Error ? thrown.stack : String(thrown)}\n`,
  )
  process.exitCode = 1
} finally {
  await encoder?.close()
}

function chosenContenders(labels: readonly string[] | undefined): readonly Contender[] {
  if (labels === undefined) return contenders
  return labels.map((label) => {
    const found = contenders.find((contender) => contender.label === label)
    if (!found)
      throw new DataProblem(`There is no router "${label}"; there are ${contenders.map((contender) => contender.label).join(', ')}.`)
    return found
  })
}

async function measure(
  train: RoutingProblem,
  test: RoutingProblem | undefined,
  dense: Encoder | undefined,
  chosen: readonly Contender[],
): Promise<unknown> {
  const splits = (test ? [heldOut(train, test)] : crossValidation(train.rows, settings.folds, settings.seed)).map((split) =>
    judgeable(split, train.arms),
  )
  const rows = splits.flatMap((split) => split.test)
  const unjudged = (test ?? train).rows.length - rows.length
  if (rows.length === 0)
    throw new DataProblem(`no row has an outcome of every arm that was learned (${train.arms.join(', ')}), so none can be measured on.`)
  const played: (readonly Played[])[] = []
  for (const split of splits)
    played.push(play(await understand(split, settings.told, dense), train.arms, train.pair, settings.seed, chosen))
  const merged = chosen.map((_, at) => merge(played.map((all) => all[at] as Played)))
  const notes = [
    ...train.notes,
    settings.told ? 'categories of measured rows told' : 'measured rows carry no category',
    dense ? 'with the embedded encoder' : 'no encoder',
    ...(unjudged > 0 ? [`${unjudged} rows not measured on: they lack an arm's outcome`] : []),
  ]
  console.log(`\n## ${train.name}: ${rows.length} rows, ${train.arms.length} arms; ${notes.join('; ')}`)
  return train.pair
    ? pairReport(rows, train.pair, merged)
    : curveReport(
        rows,
        splits.map(({ train: learned, test: judged }) => ({ learned, judged })),
        train.arms,
        merged,
      )
}

function merge(parts: readonly Played[]): Played {
  const [first] = parts
  if (!first) throw new Error('nothing was played')
  const joined = (pick: (played: Played) => Float64Array) => Float64Array.from(parts.flatMap((part) => [...pick(part)]))
  const size = (part: Played) => part.points[0]?.quality.length ?? 0
  const rows = parts.reduce((sum, part) => sum + size(part), 0)
  const weighted = (pick: (part: Played) => number) => parts.reduce((sum, part) => sum + size(part) * pick(part), 0) / Math.max(1, rows)
  return {
    label: first.label,
    // As shares of the part's own rows: each part's router sends the same share to the strong arm, whatever the level of its scores.
    gains: joined(({ gains }) => shares(gains)),
    points: first.points.map((_, at) => ({
      quality: joined(({ points }) => points[at]?.quality ?? new Float64Array(0)),
      usd: joined(({ points }) => points[at]?.usd ?? new Float64Array(0)),
    })),
    expected: first.expected.map((_, at) => ({
      quality: weighted(({ expected }) => expected[at]?.quality ?? 0),
      reference: weighted(({ expected }) => expected[at]?.reference ?? 0),
    })),
    calibration: parts.flatMap(({ calibration }) => calibration),
    trainSeconds: parts.reduce((sum, { trainSeconds }) => sum + trainSeconds, 0),
  }
}

/** Place of each score among all, in (0, 1]; ties in random order. */
function shares(scores: Float64Array): Float64Array {
  const out = new Float64Array(scores.length)
  ranking(scores, settings.seed).forEach((row, at) => (out[row] = 1 - at / scores.length))
  return out
}

function pairReport(rows: readonly RoutingRow[], { weak, strong }: { weak: string; strong: string }, merged: readonly Played[]): unknown {
  const gains = Float64Array.from(rows, ({ outcomes }) => (outcomes[strong]?.quality ?? 0) - (outcomes[weak]?.quality ?? 0))
  const random = seededRandom(settings.seed)
  const scored: { label: string; scores: Float64Array; played?: Played }[] = [
    { label: 'random', scores: gains.map(() => random.next()) },
    { label: 'prompt length', scores: Float64Array.from(rows, ({ text }) => text.length) },
    ...merged.map((played) => ({ label: played.label, scores: played.gains, played })),
    ...hindsight(rows, weak, strong),
    { label: 'oracle', scores: gains },
  ]
  const share = (arm: string) => rows.reduce((sum, { outcomes }) => sum + (outcomes[arm]?.quality ?? 0), 0) / rows.length
  console.log(`always ${weak} (cheapest): ${figure(share(weak), 3)}; always ${strong} (best single): ${figure(share(strong), 3)}\n`)
  const results = scored.map(({ label, scores, played }) => ({
    label,
    ...pairEstimates(gains, ranking(scores, settings.seed), settings.seed),
    calibration: played && calibrationError(played.calibration),
    trainCpuSeconds: played?.trainSeconds,
  }))
  console.log(
    table(
      ['router', 'APGR', 'CPT(50)', 'CPT(80)', 'calibration error', 'training, CPU s'],
      results.map(({ label, apgr, cpt50, cpt80, calibration, trainCpuSeconds }) => [
        label,
        withInterval(apgr),
        withInterval(cpt50),
        withInterval(cpt80),
        figure(calibration, 3),
        figure(trainCpuSeconds, 1),
      ]),
    ),
  )
  return results
}

/** What a router would reach that foretold exactly how much each model writes: nobody can know it before, and it bounds what a forecast of lengths is worth. */
function hindsight(rows: readonly RoutingRow[], weak: string, strong: string): readonly { label: string; scores: Float64Array }[] {
  const tokens = (arm: string) => rows.map(({ outcomes }) => outcomes[arm]?.outputTokens ?? NaN)
  const told = [
    { label: 'length of the weak answer, in hindsight', lengths: tokens(weak) },
    { label: 'length of the strong answer, in hindsight', lengths: tokens(strong) },
  ]
  return told
    .filter(({ lengths }) => lengths.every(Number.isFinite))
    .map(({ label, lengths }) => ({ label, scores: Float64Array.from(lengths) }))
}

function curveReport(
  rows: readonly RoutingRow[],
  splits: readonly { learned: readonly RoutingRow[]; judged: readonly RoutingRow[] }[],
  arms: readonly string[],
  merged: readonly Played[],
): unknown {
  const fixed = (pick: (learned: readonly RoutingRow[]) => string): Point => {
    const parts = splits.map(({ learned, judged }) => {
      const arm = pick(learned)
      return pointOf(judged, () => arm)
    })
    return {
      quality: Float64Array.from(parts.flatMap(({ quality }) => [...quality])),
      usd: Float64Array.from(parts.flatMap(({ usd }) => [...usd])),
    }
  }
  const reference = fixed((learned) => bestOn(learned, arms))
  const cheapest = fixed((learned) => cheapestOn(learned, arms))
  const random = seededRandom(settings.seed)
  const drawn = pointOf(rows, () => arms[Math.floor(random.next() * arms.length)] ?? '')
  const oracle = pointOf(rows, (row) =>
    arms.reduce((best, arm) => (better(rows[row]?.outcomes[arm], rows[row]?.outcomes[best]) ? arm : best)),
  )
  const cut = [...rows.map(({ text }) => text.length)].sort((a, b) => a - b)
  const [cheap, best] = [cheapestOn(rows, arms), bestOn(rows, arms)]
  const byLength = Array.from({ length: 11 }, (_, share) =>
    pointOf(rows, (row) =>
      (rows[row]?.text.length ?? 0) >= (cut[Math.min(cut.length - 1, Math.floor((share / 10) * cut.length))] ?? Infinity) || share === 0
        ? best
        : cheap,
    ),
  )
  const contestants = [
    { label: 'random', points: [drawn] },
    { label: 'always cheapest', points: [cheapest] },
    { label: 'best single', points: [reference] },
    { label: 'prompt length', points: [cheapest, ...byLength] },
    ...merged,
    { label: 'oracle', points: [oracle, cheapest] },
  ]
  const results = contestants.map((contestant) => {
    const curve = curveEstimates(contestant.points, reference, settings.seed)
    const alone = contestant.points.at(contestant.label === 'oracle' ? 0 : -1) as Point
    const chosen = 'expected' in contestant ? equalByExpectation(contestant) : undefined
    return {
      label: contestant.label,
      ...curve,
      qualityAlone: pairedEstimates(alone, reference, settings.seed),
      chosen: chosen && { relativeLambda: chosen.relativeLambda, ...pairedEstimates(chosen.point, reference, settings.seed) },
    }
  })
  const shown = results.map(({ label, area, qualityAtCost, saving, savingAt1, savingAt3, qualityAlone, chosen }) => [
    label,
    withInterval(area),
    withInterval(qualityAtCost),
    withInterval(qualityAlone.quality),
    withInterval(saving),
    withInterval(savingAt1),
    withInterval(savingAt3),
    chosen ? `${withInterval(chosen.saving)} at ${withInterval(chosen.difference)}` : '–',
  ])
  console.log(
    `\n${table(['router', 'area of the curve', "quality at ≤ best single's cost", 'quality alone (λ = ∞)', 'saving at equal quality, on the curve', 'at 1 point less', 'at 3 points less', 'saving, λ by its own expectation: at what difference of quality'], shown)}`,
  )
  return results
}

/** The smallest λ under which the predictor itself expects no less than of the reference: chosen without a single outcome of the measured rows. */
function equalByExpectation({ expected, points }: Played): { relativeLambda: number; point: Point } | undefined {
  const at = expected.findIndex(({ quality, reference }) => quality >= reference)
  const point = points[at]
  return point && { relativeLambda: tradeOffs[at] ?? Infinity, point }
}

function better(a: { quality: number; usd: number } | undefined, b: { quality: number; usd: number } | undefined): boolean {
  if (!a) return false
  return !b || a.quality > b.quality || (a.quality === b.quality && a.usd < b.usd)
}

function withInterval({ value, low, high }: Estimate): string {
  return Number.isFinite(value) ? `${value.toFixed(3)} [${figure(low, 3)}, ${figure(high, 3)}]` : '–'
}

function whole(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('expected a whole number above 0.')
  return value
}

function threeNumbers(text: string): readonly [number, number, number] {
  const [a, b, c, ...more] = text.split(/[:,]/).map(Number)
  if (!(a && b && c && a > 0 && b > 0 && c > 0) || more.length > 0)
    throw new InvalidArgumentError('expected three numbers above 0, such as 1:3:8.')
  return [a, b, c]
}
