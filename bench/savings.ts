/**
 * `npm run bench:savings`: the live proof on recorded data whose counterfactuals are known: what every arm gave and took on every
 * request. Traffic is drawn from rows that no predictor has seen, a share is held out at random, and the product's own estimator sees
 * only what a gateway would. `--train DIR --test DIR`: learns from the one split and is measured on the other; only `--train` (or
 * neither): learns from one half of the rows and is measured on the other half.
 */
import { join } from 'node:path'
import { InvalidArgumentError } from 'commander'
import { isUnknown, SavingsEstimator } from '../src/evaluation/index.js'
import type { TrialEvidence, WeighedArm } from '../src/ledger/index.js'
import { usd } from '../src/quantities/index.js'
import { childRandom, ConfidenceSequence, doublyRobustScore, shareInterval, type Random } from '../src/statistics/index.js'
import { loadLlmRouter } from './data/llmrouter.js'
import { loadRouteLlmGsm8kRouting, loadRouteLlmMmlu } from './data/routellm-mmlu.js'
import { loadRouterBench } from './data/routerbench.js'
import type { RoutingProblem, RoutingRow } from './data/routing-problem.js'
import { dataRoot, DataProblem } from './data/source.js'
import { benchCommand } from './options.js'
import { commandLine, packageVersion, table, writeReport } from './report.js'
import { chooser } from './routing/choosing.js'
import { kindOf } from './routing/contenders.js'
import { bestOn, meanUsd } from './routing/run.js'
import { crossValidation, factsOf, heldOut, understand } from './routing/world.js'

interface Settings {
  readonly train: string
  readonly test?: string
  readonly data?: readonly string[]
  readonly seed: number
  readonly resamples: number
  readonly requests: number
  readonly json?: string
}

const loaders: Readonly<Record<string, (root: string) => RoutingProblem>> = {
  routerbench: (root) => loadRouterBench(join(root, 'routerbench_subset')),
  'routellm-gsm8k': (root) => loadRouteLlmGsm8kRouting(join(root, 'routellm')),
  'routellm-mmlu': (root) => loadRouteLlmMmlu(join(root, 'routellm')),
  llmrouter: (root) => loadLlmRouter(join(root, 'llmrouter_9models')),
}
/** The proof's own default. */
const holdout = 0.05
const margin = 0.02
/**
 * λ in reference calls a right answer: one trade-off for all data sets. It was set three times (10, 3, 5) while looking at runs on this
 * data, so that policies differ from the reference.
 */
const lambdaInReferenceCalls = 5

const settings = benchCommand('bench:savings')
  .option('--train <dir>', 'data sets to learn from (default: $BURSAR_DATA)', dataRoot())
  .option('--test <dir>', 'data sets to be measured on; without it: the other half of those to learn from')
  .option('--data <names...>', `which data sets: ${Object.keys(loaders).join(', ')} (default: all)`)
  .option('--seed <number>', 'of everything that is drawn', whole, 1)
  .option('--resamples <number>', 'times that traffic is drawn', whole, 500)
  .option('--requests <number>', 'requests of each traffic', whole, 4_000)
  .option('--json <file>', 'also write the report as JSON')
  .parse()
  .opts<Settings>()

/** A row as the gateway would have routed it: what the policy chose, what was expected, what both arms gave and took. */
interface Routed {
  readonly evidence: { readonly policy: TrialEvidence; readonly reference: TrialEvidence }
  readonly category: string | undefined
  readonly differs: boolean
  readonly policy: { readonly quality: number; readonly usd: number }
  readonly reference: { readonly quality: number; readonly usd: number }
}

async function routed(problem: RoutingProblem, tested: RoutingProblem | undefined): Promise<readonly Routed[]> {
  const [half] = crossValidation(problem.rows, 2, settings.seed)
  const split = tested === undefined ? half : heldOut(problem, tested)
  if (split === undefined) throw new DataProblem(`${problem.name}: has no rows.`)
  const understood = await understand(split, false, undefined)
  const { arms } = problem
  const reference = bestOn(split.train, arms)
  const predictor = kindOf('ridge').train(understood.observations, factsOf(arms), {}, settings.seed)
  const choose = chooser(arms, reference)
  const lambda = lambdaInReferenceCalls * meanUsd(split.train, reference)
  return split.test.map((row, at) => {
    const features = understood.testFeatures[at]
    if (features === undefined) throw new DataProblem(`${problem.name}: a row without features.`)
    const estimates = predictor.predict(features, arms)
    const policyArm = choose(features, predictor.familiarity(features), estimates, lambda)
    const weighed = (arm: string): WeighedArm => {
      const estimate = estimates[arms.indexOf(arm)]
      return {
        arm,
        quality: estimate?.quality?.mean ?? null,
        qualityDeviation: null,
        usd: estimate?.cost.usd === null || estimate?.cost.usd === undefined ? null : Number(estimate.cost.usd) / 1e12,
        outputTokens: null,
        seconds: null,
        joules: null,
        support: 0,
      }
    }
    const outcomeOf = (arm: string) => row.outcomes[arm] ?? missing(problem, row, arm)
    const evidence = (heldOutTo: boolean): TrialEvidence => {
      const arm = heldOutTo ? reference : policyArm
      const outcome = outcomeOf(arm)
      const expected = { policy: weighed(policyArm), reference: weighed(reference) }
      const decision = {
        ...{
          decisionId: `dec_${at}`,
          requestId: `req_${at}`,
          at,
          key: 'bench',
          requestedModel: 'auto',
          arm,
          policy: 'bench',
          reason: 'recorded',
        },
        propensity: heldOutTo ? holdout : 1 - holdout,
        weighed: { objective: {}, reference, familiarity: 1, explored: false, arms: [expected.policy, expected.reference], excluded: [] },
        trial: { heldOut: heldOutTo, holdout, policyArm },
      }
      return {
        ...{ decision, trial: decision.trial, expected },
        cost: { calls: 1, usd: usd(outcome.usd.toFixed(12)), seconds: 0, joules: null },
        outcomes: [
          { outcomeId: `out_${at}`, at, decisionId: decision.decisionId, key: 'bench', source: 'verifier:answer', score: outcome.quality },
        ],
      }
    }
    return {
      evidence: { policy: evidence(false), reference: evidence(true) },
      category: row.category,
      differs: policyArm !== reference,
      policy: outcomeOf(policyArm),
      reference: outcomeOf(reference),
    }
  })
}

function missing(problem: RoutingProblem, row: RoutingRow, arm: string): never {
  throw new DataProblem(`${problem.name}, row ${row.id}: has no outcome of ${arm}.`)
}

/** Without what was expected beforehand, and without knowing where both arms are one. */
function blind(evidence: TrialEvidence): TrialEvidence {
  const { weighed: _, ...decision } = evidence.decision
  return { ...evidence, decision, expected: { policy: undefined, reference: undefined } }
}

const measures = ['usd', 'quality'] as const
type Measure = (typeof measures)[number]
interface Tally {
  held: number
  width: number
  blindWidth: number
  blind: number
  plainWidth: number
  plainHeld: number
  unbounded: number
}

/** Resamples that are also estimated blindly: for the mean width only. */
const blindResamples = 50

function resample(rows: readonly Routed[], random: Random, blindToo: boolean, tallies: Readonly<Record<Measure, Tally>>): void {
  const estimator = new SavingsEstimator({ margin, by: [] })
  const blindly = blindToo ? new SavingsEstimator({ margin, by: [] }) : undefined
  const plain = { usd: new ConfidenceSequence(0.95, 5_000, 100), quality: new ConfidenceSequence(0.95, 2_000, 100) }
  const truth = { usd: 0, quality: 0 }
  for (let index = 0; index < settings.requests; index++) {
    const row = rows[Math.floor(random.next() * rows.length)]
    if (row === undefined) continue
    const held = random.next() < holdout
    const evidence = held ? row.evidence.reference : row.evidence.policy
    estimator.add(evidence)
    blindly?.add(blind(evidence))
    for (const measure of measures) {
      truth[measure] += (row.policy[measure] - row.reference[measure]) / settings.requests
      const reward = (held ? row.reference : row.policy)[measure]
      plain[measure].add(
        doublyRobustScore({ propensity: held ? 1 : 1 - holdout, target: held ? 0 : 1, reward }) -
          doublyRobustScore({ propensity: held ? holdout : 1, target: held ? 1 : 0, reward }),
      )
    }
  }
  for (const measure of measures) {
    const tally = tallies[measure]
    const own = differenceOf(estimator, measure)
    const other = blindly && differenceOf(blindly, measure)
    const ipw = plain[measure].interval()
    if (own.low <= truth[measure] && truth[measure] <= own.high) tally.held += 1
    if (ipw.low <= truth[measure] && truth[measure] <= ipw.high) tally.plainHeld += 1
    if (!Number.isFinite(own.high - own.low)) tally.unbounded += 1
    else {
      tally.width += own.high - own.low
      tally.blindWidth += other ? other.high - other.low : 0
      tally.blind += other ? 1 : 0
      tally.plainWidth += ipw.high - ipw.low
    }
  }
}

/** Policy less reference, per request. */
function differenceOf(estimator: SavingsEstimator, measure: Measure): { readonly low: number; readonly high: number } {
  const { all } = estimator.result()
  if (measure === 'quality') return all.quality.find(({ kind }) => kind === 'check')?.difference ?? { low: -Infinity, high: Infinity }
  const { usd: saving } = all.savings
  return isUnknown(saving) ? { low: -Infinity, high: Infinity } : { low: -saving.perRequest.high, high: -saving.perRequest.low }
}

const started = performance.now()
try {
  const { resamples, requests, seed } = settings
  console.log(
    `${commandLine('bench:savings')}; seed ${seed}; ${resamples} resamples of ${requests} requests, ${holdout * 100} % held out; ${settings.test === undefined ? 'learned from one half of the rows, measured on the other' : `learned from ${settings.train}, measured on ${settings.test}`}`,
  )
  const rows: string[][] = []
  const results: Record<string, unknown> = {}
  const sources = []
  for (const name of settings.data ?? Object.keys(loaders)) {
    const load = loaders[name]
    if (!load) throw new DataProblem(`There is no data set "${name}"; there are ${Object.keys(loaders).join(', ')}.`)
    const problem = load(settings.train)
    const tested = settings.test === undefined ? undefined : load(settings.test)
    sources.push(...problem.sources, ...(tested?.sources ?? []))
    const traffic = await routed(problem, tested)
    const tallies: Record<Measure, Tally> = { usd: noTally(), quality: noTally() }
    for (let index = 0; index < resamples; index++)
      resample(traffic, childRandom(seed, `${name} ${index}`), index < blindResamples, tallies)
    const mean = (of: (row: Routed) => number) => traffic.reduce((sum, row) => sum + of(row), 0) / traffic.length
    const referenceUsd = mean(({ reference }) => reference.usd)
    const facts = {
      rows: traffic.length,
      routedElsewhere: mean(({ differs }) => (differs ? 1 : 0)),
      savedShare: 1 - mean(({ policy }) => policy.usd) / referenceUsd,
      qualityDifference: mean(({ policy, reference }) => policy.quality - reference.quality),
    }
    const found = Object.fromEntries(
      measures.map((measure) => {
        const { held, width, blindWidth, blind: blindly, plainWidth, plainHeld, unbounded } = tallies[measure]
        const { low, high } = shareInterval(held, resamples)
        const bounded = resamples - unbounded
        const scale = measure === 'usd' ? referenceUsd : 1
        rows.push([
          name,
          measure === 'usd' ? `saved ${percent(facts.savedShare)}` : `quality ${(facts.qualityDifference * 100).toFixed(1)} points`,
          percent(facts.routedElsewhere),
          `${percent(held / resamples)} (${percent(low)} to ${percent(high)})`,
          percent(plainHeld / resamples),
          `${((100 * width) / bounded / scale / 2).toFixed(2)}`,
          `${((100 * blindWidth) / blindly / scale / 2).toFixed(2)}`,
          `${((100 * plainWidth) / bounded / scale / 2).toFixed(2)}`,
          percent(width / plainWidth),
        ])
        return [
          measure,
          {
            held: { value: held / resamples, low, high, n: resamples, method: 'Clopper-Pearson, 95 %' },
            plainHeld: plainHeld / resamples,
            meanWidth: width / bounded,
            meanWidthWithoutExpectations: blindWidth / blindly,
            meanWidthPlain: plainWidth / bounded,
            widthRatio: width / plainWidth,
            unbounded,
          },
        ]
      }),
    )
    results[name] = { ...facts, ...found, notes: problem.notes }
    process.stderr.write(`${name}: done after ${Math.round((performance.now() - started) / 1000)} s\n`)
  }
  console.log(
    `\n${table(
      [
        'data',
        'truth',
        'routed elsewhere',
        { title: 'truth in the interval', align: 'right' },
        { title: 'in plain IPW’s', align: 'right' },
        { title: '± ours', align: 'right' },
        { title: '± without expectations', align: 'right' },
        { title: '± plain IPW', align: 'right' },
        { title: 'width, of IPW’s', align: 'right' },
      ],
      rows,
    )}\n\n± is half the mean width: percent of the reference's mean dollars, and points of quality. All intervals are 95 % confidence sequences over the same requests; the truth is\nthat of the requests drawn. Goals: truth in ≥ 95 % of intervals, width ≤ 70 % of plain inverse propensity's.`,
  )
  if (settings.json !== undefined) {
    const { json: _file, ...kept } = settings
    writeReport(settings.json, {
      command: commandLine('bench:savings'),
      seed,
      data: sources,
      settings: { ...kept, holdout, lambdaInReferenceCalls },
      baselines: { 'plain inverse propensity': 'in the results' },
      results,
      seconds: (performance.now() - started) / 1000,
      version: packageVersion(),
    })
  }
} catch (thrown) {
  process.stderr.write(
    `bench:savings: ${thrown instanceof DataProblem ? thrown.message : thrown instanceof Error ? thrown.stack : String(thrown)}\n`,
  )
  process.exitCode = 1
}

function noTally(): Tally {
  return { held: 0, width: 0, blindWidth: 0, blind: 0, plainWidth: 0, plainHeld: 0, unbounded: 0 }
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}

function whole(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('expected a whole number above 0.')
  return value
}
