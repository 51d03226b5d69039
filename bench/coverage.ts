// How often the intervals of the live proof hold what they promise: simulated experiments with drifting traffic, a biased judge of whom
// few answers are checked by people, and a policy that learns. Usage: npm run bench:coverage [-- --runs N] [--requests N] [--seed N]
// [--json FILE]
import { Comparison, nonInferiority } from '../src/evaluation/index.js'
import { childRandom, normalDraw, quantile, shareInterval } from '../src/statistics/index.js'
import { benchOptions } from './options.js'
import { commandLine, packageVersion, table, writeReport } from './report.js'

interface Scenario {
  readonly name: string
  /** Quality of the policy less the reference's, of hard requests, at a share of the experiment. */
  readonly gap: (time: number) => number
  /** Share of requests held out, at a share of the experiment. */
  readonly holdout: (time: number) => number
  /** Whether quality is a judge's word, who flatters the policy, with people asked about this share of answers. */
  readonly labelled?: number | undefined
  readonly drift: number
  /** Share of answers that the judge looks at, of hard requests twice as many; all where left out. */
  readonly looked?: number | undefined
  /** Requests of a conversation, which are drawn as one and of one difficulty. */
  readonly turns?: number | undefined
  readonly quality?: { readonly reference: number }
}

const margin = 0.05
const scenarios: readonly Scenario[] = [
  { name: 'steady, 5 % held out', gap: () => 0, holdout: () => 0.05, drift: 0 },
  { name: 'drifting traffic', gap: () => 0.1, holdout: () => 0.05, drift: 0.6 },
  { name: 'a policy that learns', gap: (time) => 0.3 * (1 - time), holdout: () => 0.1, drift: 0.3 },
  { name: 'holdout that shrinks', gap: () => 0.1, holdout: (time) => 0.2 - 0.15 * time, drift: 0.3 },
  { name: 'a judge who flatters, 20 % labels', gap: () => 0, holdout: () => 0.1, drift: 0.3, labelled: 0.2 },
  { name: 'truly worse by the margin', gap: () => margin / 0.4, holdout: () => 0.1, drift: 0 },
  { name: 'the same, judged and labelled', gap: () => margin / 0.4, holdout: () => 0.1, drift: 0, labelled: 0.2 },
  { name: 'a sampled judge, hard ones twice as often', gap: () => 0.1, holdout: () => 0.2, drift: 0.3, labelled: 0.2, looked: 0.3 },
  { name: 'conversations of five', gap: () => 0.1, holdout: () => 0.1, drift: 0.3, turns: 5 },
  { name: 'conversations, truly worse by the margin', gap: () => margin / 0.4, holdout: () => 0.1, drift: 0, turns: 5 },
  { name: 'nearly always right (99 %)', gap: () => 0, holdout: () => 0.05, drift: 0, quality: { reference: 0.99 } },
]

const { values } = benchOptions(
  'bench:coverage',
  'How often the intervals of the live proof hold what they promise, in simulated experiments.',
  {
    runs: { type: 'string', takes: 'number', about: 'experiments of each kind', default: '2000' },
    requests: { type: 'string', takes: 'number', about: 'requests of each experiment', default: '10000' },
    seed: { type: 'string', takes: 'number', about: 'of everything that is drawn', default: '1' },
    json: { type: 'string', takes: 'file', about: 'also write the report as JSON' },
  },
)
const runs = Number(values.runs)
const requests = Number(values.requests)
const seed = Number(values.seed)
const startedAt = performance.now()
const lookEvery = 100

const rows: string[][] = []
const results: Record<string, unknown> = {}
for (const scenario of scenarios) {
  let heldAlways = 0
  let heldAtEnd = 0
  let proven = 0
  let worse = 0
  let naive = 0
  let width = 0
  let bounded = 0
  const looks = Math.floor(requests / lookEvery)
  const heldAtLook = new Float64Array(looks)
  const boundedAtLook = new Float64Array(looks)
  const furthest: number[] = []
  for (let run = 0; run < runs; run++) {
    const random = childRandom(seed, `${scenario.name} ${run}`)
    const comparison = new Comparison(scenario.labelled === undefined ? { range: 1 } : {})
    const groups = { held: { n: 0, sum: 0, squares: 0 }, other: { n: 0, sum: 0, squares: 0 } }
    let truth = 0
    let always = true
    let naiveAlways = true
    let everProven = false
    let everWorse = false
    let most = 0
    let hard = false
    let heldOut = false
    let unit: string | undefined
    for (let index = 0; index < requests; index++) {
      const time = index / requests
      const holdout = scenario.holdout(time)
      if (index % (scenario.turns ?? 1) === 0) {
        hard = random.next() < 0.4 + scenario.drift * (time - 0.5)
        heldOut = random.next() < holdout
        unit = scenario.turns === undefined ? undefined : String(index)
      }
      const reference = scenario.quality?.reference ?? (hard ? 0.6 : 0.9)
      const policy = reference - (hard ? scenario.gap(time) : 0)
      truth += policy - reference
      const right = random.next() < (heldOut ? reference : policy) ? 1 : 0
      const judged =
        scenario.labelled === undefined
          ? right
          : Math.min(1, Math.max(0, 0.7 * right + 0.2 + (heldOut ? 0 : 0.1) + 0.1 * normalDraw(random)))
      const asked = scenario.labelled !== undefined && random.next() < scenario.labelled
      const outcome = judged
      const sought = scenario.looked === undefined ? 1 : scenario.looked * (hard ? 2 : 1)
      const looked = random.next() < sought
      // A predictor that knows a little of what is hard.
      const hint = (hard ? -0.1 : 0.1) + 0.2 * normalDraw(random)
      if (looked)
        comparison.add({
          ...{
            heldOut,
            holdout,
            outcome,
            sought,
            unit,
            stratum: hard ? 'hard' : 'easy',
            expectedOfPolicy: hint,
            expectedOfReference: hint,
          },
          label: asked && scenario.labelled !== undefined ? { score: right, sought: sought * scenario.labelled } : undefined,
        })
      const group = heldOut ? groups.held : groups.other
      group.n += 1
      group.sum += outcome
      group.squares += outcome * outcome
      if ((index + 1) % lookEvery !== 0) continue
      const { low, high, value } = comparison.interval()
      const mean = truth / (index + 1)
      const holds = mean >= low && mean <= high
      if (!holds) always = false
      const look = (index + 1) / lookEvery - 1
      if (Number.isFinite(high - low)) {
        boundedAtLook[look] = (boundedAtLook[look] ?? 0) + 1
        if (holds) heldAtLook[look] = (heldAtLook[look] ?? 0) + 1
        most = Math.max(most, Math.abs(mean - value) / ((high - low) / 2))
      }
      if (low > -margin) everProven = true
      if (high < -margin) everWorse = true
      if (index >= 500 && groups.held.n > 1) {
        const of = ({ n, sum, squares }: typeof group) => ({ mean: sum / n, variance: (squares / n - (sum / n) ** 2) / n })
        const [held, other] = [of(groups.held), of(groups.other)]
        if (Math.abs(other.mean - held.mean - mean) > 1.96 * Math.sqrt(held.variance + other.variance)) naiveAlways = false
      }
    }
    const { low, high } = comparison.interval()
    const mean = truth / requests
    furthest.push(most)
    if (always) heldAlways += 1
    if (naiveAlways) naive += 1
    if (mean >= low && mean <= high) heldAtEnd += 1
    if (everProven) proven += 1
    if (everWorse) worse += 1
    if (Number.isFinite(high - low)) {
      width += high - low
      bounded += 1
    }
    if (run === 0) nonInferiority(comparison, margin)
  }
  const share = (count: number) => {
    const { low, high } = shareInterval(count, runs)
    return { value: count / runs, low, high, n: runs, method: 'Clopper-Pearson, 95 %' }
  }
  const found = {
    heldAtEveryLook: share(heldAlways),
    heldAtTheEnd: share(heldAtEnd),
    proven: share(proven),
    worse: share(worse),
    naiveHeldAtEveryLook: share(naive),
    meanWidth: width / bounded,
    ...singleLooks(heldAtLook, boundedAtLook),
    widthIfTheEndWereKnown: quantile(furthest, 0.95),
  }
  results[scenario.name] = found
  const percent = (of: { readonly value: number }) => `${(of.value * 100).toFixed(1)} %`
  rows.push([
    scenario.name,
    percent(found.heldAtEveryLook),
    `${(found.leastAtOneLook * 100).toFixed(1)} to ${(found.mostAtOneLook * 100).toFixed(1)} %`,
    percent({ value: found.widthIfTheEndWereKnown }),
    percent(found.naiveHeldAtEveryLook),
    percent(found.proven),
    percent(found.worse),
    found.meanWidth.toFixed(3),
  ])
  process.stderr.write(`${scenario.name}: done\n`)
}
/** Coverage of each look by itself, of looks at which nearly all experiments had an interval. */
function singleLooks(held: Float64Array, bounded: Float64Array): { readonly leastAtOneLook: number; readonly mostAtOneLook: number } {
  const shares = [...held].flatMap((count, look) => ((bounded[look] ?? 0) >= 0.95 * runs ? [count / (bounded[look] ?? 1)] : []))
  return { leastAtOneLook: Math.min(...shares), mostAtOneLook: Math.max(...shares) }
}

process.stdout.write(
  `${table(
    [
      'experiments',
      { title: 'held, all looks together', align: 'right' },
      { title: 'at each look alone', align: 'right' },
      { title: 'width for 95 % of all looks', align: 'right' },
      { title: 'fixed-n interval, every look', align: 'right' },
      { title: `proven at ${margin}`, align: 'right' },
      { title: 'worse', align: 'right' },
      { title: 'mean width', align: 'right' },
    ],
    rows,
  )}\n\n${runs} experiments of ${requests} requests each, a look every ${lookEvery}; seed ${seed}. Fixed-n: difference of means ± 1.96 standard errors, from request 500 on.
What has to be at least 95 % is "all looks together": an interval that may be looked at for ever keeps some of its error for looks to come, so at any finite number of
looks it holds more often, and at a single look about 99.7 %. 94 to 97 % at each look alone would be the fixed-n interval, which fails over all looks. "Width for 95 % of
all looks": the share of our width at which just 95 % of experiments would have held at all of these looks, had it been known beforehand when they end.\n`,
)
if (values.json !== undefined)
  writeReport(values.json, {
    command: commandLine('bench:coverage'),
    seed,
    data: [],
    settings: { runs, requests, margin, lookEvery },
    baselines: { 'fixed-n': 'in the results' },
    results,
    seconds: (performance.now() - startedAt) / 1_000,
    version: packageVersion(),
  })
