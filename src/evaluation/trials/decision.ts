import { childRandom, normalDraw, type Random } from '../../statistics/index.js'
import type { Search } from '../best-arm/search.js'
import type { Suite } from '../suite/contract.js'
import { Elimination } from '../best-arm/elimination.js'
import type { TrialScores } from './score.js'

/**
 * When an evaluation is over. `guaranteed`: the leader is proven better than every other at a level that holds however often one looks
 * (`Elimination`). `posterior`: the search believes so with that probability; cheaper, and no guarantee: a belief that is looked at
 * after every score is wrong more often than it says. `never`: all cells are scored.
 */
export interface DecisionRule {
  readonly kind: 'guaranteed' | 'posterior' | 'never'
  /** Such as 0.95. */
  readonly confidence: number
  /** A loss of mean score, in [0, 1), that doesn't matter. */
  readonly indifference: number
}

/** Who leads, and how sure that is. */
export interface Standing {
  readonly leader: number
  /** Estimated mean of each method over the whole test set, as the search estimates it. */
  readonly means: readonly number[]
  /** Probability of each method to be the best on this test set, as believed; sums to 1. */
  readonly best: readonly number[]
  /** Whether the rule is met. */
  readonly decided: boolean
  /** Methods that the leader is proven to beat, under `guaranteed`. */
  readonly beaten: number | null
  /** Whether the guarantee holds for this search. */
  readonly guaranteeHolds: boolean
}

/** Draws from beliefs: the error of a probability near 0.95 is half a point. */
const DRAWS = 2_000
/** At most so many looks an evaluation: each costs about as much as drawing once for each method. */
const MOST_LOOKS = 1_000

/**
 * Searches that take items in one random order whatever was scored on them: of others the items of a pair are no random sample, and
 * nothing is proven.
 */
const inRandomOrder: ReadonlySet<string> = new Set(['elimination', 'uniform', 'ucb-e', 'halving'])

/** Watches an evaluation for the end of its rule. */
export class Decider {
  private readonly elimination: Elimination
  private readonly random: Random
  private sinceLook = 0
  private readonly every: number

  constructor(
    suite: Pick<Suite, 'methods' | 'items'>,
    private readonly search: Search,
    private readonly rule: DecisionRule,
    seed: number,
  ) {
    const [methods, items] = [suite.methods.length, suite.items.length]
    this.elimination = new Elimination(methods, items, 1 - rule.confidence, rule.indifference)
    this.every = Math.max(1, Math.floor((methods * items) / MOST_LOOKS))
    this.random = childRandom(seed, 'decision')
  }

  asked(item: number): void {
    this.elimination.asked(item)
  }

  observe(method: number, item: number, score: number): void {
    this.elimination.observe(method, item, score)
    this.sinceLook += 1
  }

  /** Whether the rule is met. Looks only now and then on large test sets. */
  decided(score: TrialScores): boolean {
    if (this.rule.kind === 'never' || this.sinceLook < this.every) return false
    this.sinceLook = 0
    return this.isMet(score)
  }

  standing(score: TrialScores): Standing {
    const leader = this.search.leader()
    const { beaten } = this.elimination.proofOf(leader.method)
    const own = beliefs(score, leader.means.length, this.random, this.rule.indifference)
    const probability = leader.probability ?? own.best[leader.method] ?? 0
    return {
      leader: leader.method,
      means: leader.means,
      best: shared(own.best, leader.method, probability),
      decided: this.rule.kind !== 'never' && this.isMet(score),
      beaten: this.rule.kind === 'guaranteed' ? beaten.size : null,
      guaranteeHolds: this.guarantees,
    }
  }

  private get guarantees(): boolean {
    return inRandomOrder.has(this.search.id)
  }

  /** Whether the rule is met by what is known now. */
  isMet(score: TrialScores): boolean {
    const leader = this.search.leader()
    if (this.rule.kind === 'guaranteed') {
      const { beaten, of } = this.elimination.proofOf(leader.method)
      return this.guarantees && beaten.size === of
    }
    if (this.rule.indifference === 0 && leader.probability !== null) return leader.probability >= this.rule.confidence
    // A method that was hardly seen can't be told from the best.
    if (leader.means.some((_, method) => score.cellsOf(method).length < Math.min(5, score.row(method).length))) return false
    return (beliefs(score, leader.means.length, this.random, this.rule.indifference).near[leader.method] ?? 0) >= this.rule.confidence
  }
}

/**
 * How probable each method is the best of the test set (`best`), and within the indifference of it (`near`): means drawn from normal
 * beliefs about the finite set of items, N(x̄, s²(1/k - 1/n)), by itself each (scores of the same items are mostly correlated, so this
 * is rather too unsure). O(draws × methods).
 */
function beliefs(
  score: TrialScores,
  methods: number,
  random: Random,
  indifference: number,
): { readonly best: readonly number[]; readonly near: readonly number[] } {
  const believed = Array.from({ length: methods }, (_, method) => {
    let [count, sum, squares] = [0, 0, 0]
    const row = score.row(method)
    for (const one of row)
      if (!Number.isNaN(one)) {
        count += 1
        sum += one
        squares += one * one
      }
    const mean = (sum + 0.5) / (count + 1)
    const variance = Math.max(0, (squares + 0.25) / (count + 1) - mean * mean) + 0.25 / (count + 1)
    return count === row.length
      ? { mean: sum / count, deviation: 0 }
      : { mean, deviation: Math.sqrt(variance * Math.max(0, 1 / Math.max(1, count) - 1 / row.length)) }
  })
  const draws = Math.max(200, Math.min(DRAWS, Math.floor(400_000 / methods)))
  const best = new Array<number>(methods).fill(0)
  const near = new Array<number>(methods).fill(0)
  const drawn = new Float64Array(methods)
  for (let draw = 0; draw < draws; draw++) {
    let most = -Infinity
    let leader = 0
    for (const [method, { mean, deviation }] of believed.entries()) {
      const value = deviation === 0 ? mean : mean + deviation * normalDraw(random)
      drawn[method] = value
      if (value > most) [most, leader] = [value, method]
    }
    best[leader] = (best[leader] ?? 0) + 1 / draws
    for (const [method, value] of drawn.entries()) if (value >= most - indifference) near[method] = (near[method] ?? 0) + 1 / draws
  }
  return { best, near }
}

/** The leader's probability as the search tells it; what is left goes to the others as believed. */
function shared(best: readonly number[], leader: number, probability: number): readonly number[] {
  const others = best.reduce((sum, one, method) => (method === leader ? sum : sum + one), 0)
  return best.map((one, method) =>
    method === leader ? probability : others > 0 ? (one / others) * (1 - probability) : (1 - probability) / Math.max(1, best.length - 1),
  )
}
