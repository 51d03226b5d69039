import { usd } from '../../src/quantities/index.js'
import {
  exploring,
  linUcb,
  predictorKinds,
  thompson,
  valueOfInformation,
  type Policy,
  type Predictor,
  type Situation,
} from '../../src/routing/index.js'
import { childRandom, type Random } from '../../src/statistics/index.js'
import type { Features } from '../../src/understanding/index.js'
import type { Estimate } from '../report.js'
import { armOf, bootstrap, featuresOf, situationOf } from './scene.js'

export interface BanditRow {
  readonly policy: string
  /** Value lost a request against the oracle, in right answers; mean over seeds. */
  readonly regret: Estimate
  /** Of the last quarter of the requests. */
  readonly lateRegret: Estimate
}

/** Right answers that a request's cost is worth: λ = 1 dollar, so dollars are right answers. */
const costs = { reference: 0.08, good: 0.02, code: 0.02, new: 0.01 }
const names = ['reference', 'good', 'code', 'new'] as const
const arms: Situation['arms'] = [armOf('reference'), armOf('good'), armOf('code'), armOf('new')]

/** Truth: `code` is good at code only, `good` at the rest, `new` is the best value of all for short texts; nobody told. */
function chance(arm: (typeof names)[number], features: Features): number {
  const { code, inputTokens } = features.traits
  if (arm === 'reference') return 0.85
  if (arm === 'code') return code ? 0.9 : 0.3
  if (arm === 'new') return inputTokens < 100 ? 0.88 : 0.4
  return code ? 0.4 : 0.8
}

/**
 * Online learning from nothing: the same stream of requests, for each policy with a world of its own; outcomes only of the arm that was chosen. Regret against the arm of the highest true value.
 */
export function bandits(rounds: number, seeds: number, seed: number): readonly BanditRow[] {
  const contenders: readonly [
    string,
    () => { readonly policy: Policy | ((features: Features, random: Random) => number); readonly predictor?: Predictor },
  ][] = [
    ['reference always', () => ({ policy: () => 0 })],
    ['best fixed arm in hindsight', () => ({ policy: () => bestFixed() })],
    ['random', () => ({ policy: (_features, random) => Math.floor(random.next() * arms.length) })],
    ['value of information, no exploring', () => ({ policy: valueOfInformation({ leastFamiliarity: 0 }), predictor: fresh() })],
    [
      'the same, exploring 5 %',
      () => ({ policy: exploring(valueOfInformation({ leastFamiliarity: 0 }), { share: 0.05, dearest: 100 }), predictor: fresh() }),
    ],
    ['Thompson, share 0.1', () => ({ policy: thompson({ share: 0.1 }) })],
    ['Thompson, unbounded', () => ({ policy: thompson({ share: 1 }) })],
    ['LinUCB, share 0.1', () => ({ policy: linUcb({ share: 0.1 }) })],
    ['LinUCB, unbounded', () => ({ policy: linUcb({ share: 1 }) })],
  ]
  return contenders.map(([policy, make]) => {
    const runs = Array.from({ length: seeds }, (_, run) => play(make(), rounds, seed + run))
    return {
      policy,
      regret: bootstrap(
        runs.map(({ all }) => all),
        seed,
      ),
      lateRegret: bootstrap(
        runs.map(({ late }) => late),
        seed,
      ),
    }
  })
}

function fresh(): Predictor {
  const kind = predictorKinds['knn']
  if (!kind) throw new Error('there is no knn predictor')
  return kind.train([], arms, {}, 1)
}

function play(
  { policy, predictor }: { readonly policy: Policy | ((features: Features, random: Random) => number); readonly predictor?: Predictor },
  rounds: number,
  seed: number,
): { readonly all: number; readonly late: number } {
  const requests = childRandom(seed, 'requests')
  const outcomes = childRandom(seed, 'outcomes')
  const choices = childRandom(seed, 'choices')
  let all = 0
  let late = 0
  for (let round = 0; round < rounds; round++) {
    const features = draw(requests)
    const values = names.map((arm) => chance(arm, features) - costs[arm])
    let index: number
    if (typeof policy === 'function') index = policy(features, choices)
    else {
      const known = predictor?.predict(features, names)
      const estimates = names.map((arm, at) => ({
        arm,
        quality: known?.[at]?.quality ?? null,
        cost: { usd: usd(costs[arm]), seconds: 0, joules: null, gramsCO2e: null },
        outputTokens: null,
        support: 0,
      }))
      const decision = policy.choose(situationOf(arms, estimates, features, choices, { objective: { lambda: 1 } }))
      index = arms.findIndex(({ id }) => id === decision.arm.id)
      const observation = {
        features,
        arm: decision.arm.id,
        quality: Number(outcomes.next() < chance(names[index] ?? 'reference', features)),
        source: 'verifier',
      }
      predictor?.update(observation)
      policy.observe?.(decision, observation)
    }
    const lost = Math.max(...values) - (values[index] ?? 0)
    all += lost / rounds
    if (round >= rounds * 0.75) late += lost / (rounds * 0.25)
  }
  return { all, late }
}

function draw(random: Random): Features {
  const code = random.next() < 0.4
  const inputTokens = random.next() < 0.3 ? 40 : 400
  const words = new Set(Array.from({ length: 12 }, () => (code ? 0 : 500) + Math.floor(random.next() * 400)))
  return featuresOf([...words], { code, inputTokens, characters: inputTokens * 4 })
}

function bestFixed(): number {
  // Shares as drawn above.
  const value = (arm: (typeof names)[number]) =>
    [true, false].reduce(
      (sum, code) =>
        sum +
        [40, 400].reduce(
          (inner, tokens) =>
            inner +
            (code ? 0.4 : 0.6) * (tokens === 40 ? 0.3 : 0.7) * (chance(arm, featuresOf([1], { code, inputTokens: tokens })) - costs[arm]),
          0,
        ),
      0,
    )
  return names.reduce((best, arm, index) => (value(arm) > value(names[best] ?? 'reference') ? index : best), 0)
}
