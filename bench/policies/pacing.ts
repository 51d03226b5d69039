import { BudgetExceeded } from '../../src/errors/index.js'
import { toDollars, usd } from '../../src/quantities/index.js'
import { constrained, type Estimate as ArmEstimate, type Policy, type Situation } from '../../src/routing/index.js'
import { seededRandom } from '../../src/statistics/index.js'
import type { Features } from '../../src/understanding/index.js'
import type { Estimate } from '../report.js'
import { armOf, bootstrap, situationOf } from './scene.js'

/** One request of a stream: what each of two arms would give and take, and what was expected. The large arm is the reference. */
export interface PacedTask {
  readonly features: Features
  /** Of `large` and `small`, in this order. */
  readonly estimates: readonly [ArmEstimate, ArmEstimate]
  readonly quality: { readonly large: number; readonly small: number }
  readonly usd: { readonly large: number; readonly small: number }
}

export interface PacedRow {
  readonly policy: string
  readonly quality: Estimate
  /** Of what the large arm alone would have taken. */
  readonly spentShare: number
  readonly withinBudget: boolean
  readonly unanswered: number
}

type Side = 'large' | 'small'
const arms: Situation['arms'] = [armOf('large'), armOf('small')]

/**
 * The same stream under a budget of `share` of the large arm's spend, by each policy: by dual prices (158) begun at zero and begun at what training rows led to, greedy until the
 * budget is empty, a threshold on the expected gain chosen on training rows, at random, and the two fixed arms. Every one keeps the small arm's cost back for the rest, so that nothing stays
 * unanswered for its own fault; `unanswered` counts what did.
 */
export function paced(train: readonly PacedTask[], test: readonly PacedTask[], share: number, seed: number): readonly PacedRow[] {
  const allLarge = sum(test, ({ usd: cost }) => cost.large)
  const budget = share * allLarge
  const smallMean = sum(train, ({ usd: cost }) => cost.small) / train.length
  const gain = ({ estimates: [large, small] }: PacedTask) => (large.quality?.mean ?? 0) - (small.quality?.mean ?? 0)

  const byRule = (policy: string, wants: (task: PacedTask, index: number) => boolean): PacedRow => {
    let spent = 0
    const sides = test.map((task, index): Side => {
      const reserve = (test.length - index - 1) * smallMean
      const side = wants(task, index) && spent + task.usd.large + reserve <= budget ? 'large' : 'small'
      spent += task.usd[side]
      return side
    })
    return row(policy, sides)
  }
  const byPrices = (policy: string, begun: boolean): PacedRow => {
    const limits = { usd: budget }
    if (!begun) return row(policy, play(constrained({ limits, turns: test.length }), test))
    // The same share of what the training rows would have taken, played once.
    const before = constrained({ limits: { usd: share * sum(train, ({ usd: cost }) => cost.large) }, turns: train.length })
    play(before, train)
    return row(policy, play(constrained({ limits, turns: test.length, start: before.state('another').prices }), test))
  }
  const row = (policy: string, sides: readonly (Side | null)[]): PacedRow => {
    const took = sides.reduce((total, side, index) => total + (side === null ? 0 : (test[index]?.usd[side] ?? 0)), 0)
    const qualities = sides.map((side, index) => (side === null ? 0 : (test[index]?.quality[side] ?? 0)))
    return {
      policy,
      quality: bootstrap(qualities, seed),
      spentShare: took / allLarge,
      withinBudget: took <= budget * (1 + 1e-9),
      unanswered: sides.filter((side) => side === null).length,
    }
  }

  const random = seededRandom(seed)
  const threshold = thresholdFor(train, share, gain)
  const oracleOrder = test
    .map((task, index) => ({ index, worth: (task.quality.large - task.quality.small) / Math.max(1e-12, task.usd.large - task.usd.small) }))
    .sort((a, b) => b.worth - a.worth)
  const oracleSides = test.map((): Side => 'small')
  let left = budget - sum(test, ({ usd: cost }) => cost.small)
  for (const { index, worth } of oracleOrder) {
    const task = test[index]
    const more = task ? task.usd.large - task.usd.small : Infinity
    if (worth <= 0 || more > left) continue
    left -= more
    oracleSides[index] = 'large'
  }
  return [
    row(
      'small always',
      test.map(() => 'small'),
    ),
    row(
      'large always (no budget)',
      test.map(() => 'large'),
    ),
    byRule('random, large with p = share', () => random.next() < share),
    byRule('greedy until empty', () => true),
    byRule('threshold from training rows', (task) => gain(task) >= threshold),
    byPrices('dual prices, begun at 0', false),
    byPrices('dual prices, begun by training rows', true),
    row('oracle', oracleSides),
  ]
}

function play(policy: Policy, tasks: readonly PacedTask[]): readonly (Side | null)[] {
  const random = seededRandom(1)
  return tasks.map((task) => {
    const situation = situationOf(arms, task.estimates, task.features, random, { conversation: 'the stream' })
    try {
      const decision = policy.choose(situation)
      const side: Side = decision.arm.id === 'large' ? 'large' : 'small'
      policy.observe?.(decision, { features: task.features, arm: side, usd: toDollars(usd(task.usd[side].toFixed(12))) })
      return side
    } catch (thrown) {
      if (thrown instanceof BudgetExceeded) return null
      throw thrown
    }
  })
}

/** The least expected gain at which the large arm, taken from there on, takes `share` of its spend on these rows. */
function thresholdFor(train: readonly PacedTask[], share: number, gain: (task: PacedTask) => number): number {
  const sorted = [...train].sort((a, b) => gain(b) - gain(a))
  let left = share * sum(train, ({ usd: cost }) => cost.large) - sum(train, ({ usd: cost }) => cost.small)
  for (const task of sorted) {
    left -= task.usd.large - task.usd.small
    if (left < 0) return gain(task)
  }
  return -Infinity
}

function sum(tasks: readonly PacedTask[], of: (task: PacedTask) => number): number {
  return tasks.reduce((total, task) => total + of(task), 0)
}
