import { simulatedEnvironment, type OutcomeRow } from '../../src/environment/index.js'
import { childRandom, coverage, saturationPoint, type BetaMixture } from '../../src/statistics/index.js'
import { bestOfN, Saturation, selfConsistency, worthwhileSamples, type Scorer, type Strategy } from '../../src/strategies/index.js'
import { average, meanOf, requestOf, type Line, type Section } from './world.js'

const CATEGORIES = 40
const QUESTIONS = 150
const SEEN = 4
const MOST = 64
/** N* is where another sample adds less than this to coverage. */
const EPSILON = 0.005
const MODEL = 'sampler'
/** What a right answer is worth, in samples' prices. */
const WORTH = 40
const PRICE = 0.001

/** Saturation of sampling: foretold from four samples of each question, against known truth and against recorded samples; and what stopping by it is worth. */
export async function saturationSection(recorded: readonly OutcomeRow[], recordedArm: string, seed: number): Promise<Section> {
  const random = childRandom(seed, 'categories')
  const truths: BetaMixture[] = Array.from({ length: CATEGORIES }, () => {
    const [mean, concentration] = [0.05 + 0.9 * random.next(), Math.exp(Math.log(0.4) + random.next() * Math.log(15))]
    return { alpha: mean * concentration, beta: (1 - mean) * concentration }
  })
  const points: {
    readonly predicted: number
    readonly truth: number
    readonly shared: number
    readonly error: number
    readonly sharedError: number
  }[] = []
  const regrets: Record<'rule' | 'ruleTrue' | 'fixedBest' | 'fixedPredicted' | 'shared' | 'oracle', number[]> = {
    rule: [],
    ruleTrue: [],
    fixedBest: [],
    fixedPredicted: [],
    shared: [],
    oracle: [],
  }
  for (const [category, truth] of truths.entries()) {
    const saturation = new Saturation()
    let right = 0
    for (let question = 0; question < QUESTIONS; question++) {
      const successes = await drawn(truth, `${category}-${question}`, SEEN, seed)
      right += successes
      saturation.learn(MODEL, { successes, trials: SEEN })
    }
    const profile = saturation.profile(MODEL)
    if (profile === undefined) throw new Error('nothing was learned')
    const p = Math.min(1 - 1e-6, Math.max(1e-6, right / (QUESTIONS * SEEN)))
    const shared = { alpha: p * 1e6, beta: (1 - p) * 1e6 }
    const errorOf = (mixture: BetaMixture) => average([8, 16, 30].map((n) => Math.abs(coverage(mixture, n) - coverage(truth, n))))
    points.push({
      predicted: saturationPoint(profile.mixture, EPSILON),
      truth: saturationPoint(truth, EPSILON),
      shared: saturationPoint(shared, EPSILON),
      error: errorOf(profile.mixture),
      sharedError: errorOf(shared),
    })
    if (category % 4 === 0) {
      const predictedN = worthwhileSamples(profile, { lambda: WORTH, price: 1 }, MOST)
      const sharedN = worthwhileSamples({ ...profile, mixture: shared }, { lambda: WORTH, price: 1 }, MOST)
      const bestN = worthwhileSamples({ mixture: truth, ceiling: 1, questions: 0 }, { lambda: WORTH, price: 1 }, MOST)
      for (let question = 0; question < 60; question++) {
        const name = `test-${category}-${question}`
        regrets.rule.push(
          await utility(truth, name, seed, (scorer) =>
            bestOfN({ model: MODEL, n: MOST, scorer, enough: 1, worth: { profile, lambda: WORTH * PRICE } }),
          ),
        )
        const known = { mixture: truth, ceiling: 1, questions: 0 }
        regrets.ruleTrue.push(
          await utility(truth, name, seed, (scorer) =>
            bestOfN({ model: MODEL, n: MOST, scorer, enough: 1, worth: { profile: known, lambda: WORTH * PRICE } }),
          ),
        )
        for (const [policy, n] of [
          ['fixedBest', bestN],
          ['fixedPredicted', predictedN],
          ['shared', sharedN],
        ] as const)
          regrets[policy].push(await utility(truth, name, seed, (scorer) => bestOfN({ model: MODEL, n, scorer, choose: 'best' })))
        regrets.oracle.push(await oracle(truth, name, seed))
      }
    }
  }
  const log = (pick: 'predicted' | 'truth' | 'shared') => points.map((point) => Math.log(Math.max(1, point[pick])))
  const plain = (pick: 'predicted' | 'truth' | 'shared') => points.map((point) => point[pick])
  const value = (policy: string, list: readonly number[], note: string): Line => ({ policy, accuracy: meanOf(list, seed), note })
  const regret = (of: readonly number[], against: readonly number[]) => {
    const {
      value: mean,
      low,
      high,
    } = meanOf(
      against.map((one, index) => one - (of[index] ?? 0)),
      seed,
    )
    return `${mean.toFixed(2)} (${low.toFixed(2)} – ${high.toFixed(2)})`
  }
  const notes = [
    `regret of the learned stop rule, in samples' prices a question: against the oracle ${regret(regrets.rule, regrets.oracle)}, against the rule that knows the mixture ${regret(regrets.rule, regrets.ruleTrue)}, against the best fixed N ${regret(regrets.rule, regrets.fixedBest)} (below 0: better)`,
    `N* (another sample adds < ${EPSILON}) of ${CATEGORIES} simulated categories from ${SEEN} samples of ${QUESTIONS} questions: r = ${correlation(plain('predicted'), plain('truth')).toFixed(3)}, of logarithms ${correlation(log('predicted'), log('truth')).toFixed(3)}; one shared probability: r = ${correlation(plain('shared'), plain('truth')).toFixed(3)}, of logarithms ${correlation(log('shared'), log('truth')).toFixed(3)}`,
    `coverage at 8, 16, 30: mean absolute error ${average(points.map(({ error }) => error)).toFixed(4)}; one shared probability ${average(points.map(({ sharedError }) => sharedError)).toFixed(4)}`,
    ...recordedNotes(recorded, recordedArm),
  ]
  const unit = `utility: ${WORTH} for a right answer − 1 a sample`
  return {
    name: 'saturation of sampling',
    baselines: [
      value('oracle: knows each question’s p', regrets.oracle, unit),
      value('stop rule that knows the true mixture', regrets.ruleTrue, unit),
      value('best fixed N, true mixture', regrets.fixedBest, unit),
      value('fixed N by one shared probability', regrets.shared, unit),
    ],
    results: [
      value('stop rule, mixture learned from 4 samples', regrets.rule, unit),
      value('fixed N by the learned mixture', regrets.fixedPredicted, unit),
    ],
    notes,
  }
}

function world({ alpha, beta }: BetaMixture, id: string, seed: number) {
  return simulatedEnvironment({
    models: { [MODEL]: { success: { alpha, beta }, tokens: { median: 10, sigma: 0 }, price: { input: 0, output: PRICE * 1e5 } } },
    question: { id },
    seed,
  })
}

async function finished(strategy: Strategy, env: ReturnType<typeof world>) {
  const running = strategy.run(request, env)
  for (;;) {
    const step = await running.next()
    if (step.done) return step.value
  }
}
const request = requestOf({ id: '', request: { messages: [{ role: 'user', content: 'What is it?' }] }, outcomes: {} })

/** Right samples of so many. */
async function drawn(truth: BetaMixture, id: string, samples: number, seed: number): Promise<number> {
  const env = world(truth, id, seed)
  let right = 0
  const scorer: Scorer = {
    id: 'truth',
    plan: [],
    score: (_request, completion) => {
      right += env.qualityOf(completion) ?? 0
      return Promise.resolve({ value: null, note: '' })
    },
  }
  await finished(bestOfN({ model: MODEL, n: samples, scorer }), env)
  return right
}

async function utility(truth: BetaMixture, id: string, seed: number, strategyFor: (scorer: Scorer) => Strategy): Promise<number> {
  const env = world(truth, id, seed)
  const scorer: Scorer = {
    id: 'verifier',
    plan: [],
    score: (_request, completion) => Promise.resolve({ value: env.qualityOf(completion) ?? 0, note: '' }),
  }
  const answer = await finished(strategyFor(scorer), env)
  return WORTH * (env.qualityOf(answer.completion) ?? 0) - env.spent().calls
}

/** Draws until it is right where p · worth > 1; else asks once. */
async function oracle(truth: BetaMixture, id: string, seed: number): Promise<number> {
  const p = world(truth, id, seed).successOf(MODEL)
  return utility(truth, id, seed, (scorer) =>
    p * WORTH > 1 ? bestOfN({ model: MODEL, n: MOST, scorer, enough: 1 }) : selfConsistency({ model: MODEL, most: 1 }),
  )
}

/** Foretells recorded coverage from the first four samples. */
function recordedNotes(rows: readonly OutcomeRow[], arm: string): readonly string[] {
  const usable = rows.filter(({ outcomes }) => (outcomes[arm]?.samples?.length ?? 0) >= 40)
  if (usable.length < 20) return []
  const saturation = new Saturation()
  let right = 0
  for (const row of usable) {
    const successes = (row.outcomes[arm]?.samples ?? []).slice(0, SEEN).reduce((sum, { quality = 0 }) => sum + quality, 0)
    right += successes
    saturation.learn(arm, { successes, trials: SEEN })
  }
  const profile = saturation.profile(arm)
  if (profile === undefined) return []
  const p = right / (SEEN * usable.length)
  const shared = { alpha: p * 1e6, beta: (1 - p) * 1e6 }
  const rowsOf = [8, 16, 30].map((n) => {
    const seen = average(
      usable.map(({ outcomes }) => {
        const samples = outcomes[arm]?.samples ?? []
        const wrong = samples.filter(({ quality }) => quality !== 1).length
        // Unbiased: the share of sets of n samples that hold a right one.
        let none = 1
        for (let index = 0; index < n; index++) none *= Math.max(0, wrong - index) / (samples.length - index)
        return 1 - none
      }),
    )
    return { n, seen, foretold: coverage(profile.mixture, n), shared: coverage(shared, n) }
  })
  const error = (pick: 'foretold' | 'shared') => average(rowsOf.map((one) => Math.abs(one[pick] - one.seen)))
  return [
    `recorded ${arm}, ${usable.length} questions, from the first ${SEEN} of 40 samples: ${rowsOf.map(({ n, seen, foretold }) => `coverage at ${n} ${foretold.toFixed(3)} (seen ${seen.toFixed(3)})`).join(', ')}; mean absolute error ${error('foretold').toFixed(4)}, one shared probability ${error('shared').toFixed(4)}`,
  ]
}

function correlation(a: readonly number[], b: readonly number[]): number {
  const [ma, mb] = [average(a), average(b)]
  const sum = (pick: (index: number) => number) => a.reduce((total, _, index) => total + pick(index), 0)
  const da = (index: number) => (a[index] ?? 0) - ma
  const db = (index: number) => (b[index] ?? 0) - mb
  return sum((index) => da(index) * db(index)) / Math.sqrt(sum((index) => da(index) ** 2) * sum((index) => db(index) ** 2))
}
