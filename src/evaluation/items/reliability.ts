import { quantile, type Interval, type Random } from '../../statistics/index.js'
import type { ItemMatrix } from './matrix.js'

/** How scores of items become one number a model. */
export type Aggregation = 'mean' | 'win rate'

/**
 * One number a model from some of the items. `mean`: mean score. `win rate` (mean win rate, HELM): share of the other models that it
 * scores higher than, category by category, ties half, mean over categories; it depends on which models take part, so a weak model that
 * leaves may change who leads. O(models × items + models² × categories).
 */
export function standings(
  { models, items, scores, categoryOf, categories }: ItemMatrix,
  chosen: readonly number[],
  aggregation: Aggregation = 'mean',
): Float64Array {
  const sums = new Float64Array(models * categories)
  const counts = new Float64Array(categories)
  for (const item of chosen) {
    const category = categoryOf[item] ?? 0
    counts[category] = (counts[category] ?? 0) + 1
    for (let model = 0; model < models; model++)
      sums[model * categories + category] = (sums[model * categories + category] ?? 0) + (scores[model * items + item] ?? NaN)
  }
  const at = (model: number, category: number): number => sums[model * categories + category] ?? 0
  const present = [...counts.keys()].filter((category) => (counts[category] ?? 0) > 0)
  return Float64Array.from({ length: models }, (_, model) => {
    if (aggregation === 'mean') return present.reduce((sum, category) => sum + at(model, category), 0) / chosen.length
    let wins = 0
    for (const category of present)
      for (let other = 0; other < models; other++) {
        if (other === model) continue
        const difference = at(model, category) - at(other, category)
        wins += difference > 0 ? 1 : difference === 0 ? 0.5 : 0
      }
    return models > 1 ? wins / present.length / (models - 1) : 1
  })
}

/**
 * Kendall's τ-a of two lists of numbers for the same models: pairs in the same order less those in opposite order, of all pairs; ties
 * count 0. In [-1, 1]. O(models²).
 */
export function kendall(left: ArrayLike<number>, right: ArrayLike<number>): number {
  let sum = 0
  let pairs = 0
  for (let i = 0; i < left.length; i++)
    for (let j = 0; j < i; j++) {
      sum += Math.sign((left[i] ?? 0) - (left[j] ?? 0)) * Math.sign((right[i] ?? 0) - (right[j] ?? 0))
      pairs += 1
    }
  return pairs === 0 ? 1 : sum / pairs
}

/** 1 where both have the same model first, else 0. */
export function sameWinner(left: ArrayLike<number>, right: ArrayLike<number>): number {
  return first(left) === first(right) ? 1 : 0
}

/** Each model's place, 1 the best; the first of equals is the better. */
export function ranksOf(numbers: ArrayLike<number>): number[] {
  const order = Array.from(numbers, (_, model) => model).sort((a, b) => (numbers[b] ?? 0) - (numbers[a] ?? 0) || a - b)
  const ranks = new Array<number>(order.length).fill(0)
  for (const [place, model] of order.entries()) ranks[model] = place + 1
  return ranks
}

export interface Reliability {
  /** Mean agreement of rankings of two independent draws, with a bootstrap interval over draws. */
  readonly agreement: Interval
  /** The interval's lower end: what can be relied on. */
  readonly conservative: number
  /** DIoR, the expected loss of agreement that is this decision's doing: 1 - agreement. */
  readonly impact: number
}

/**
 * Decision impact on reliability (098 DIoR; reconstructed from its abstract): a decision of how to measure (how many items, which
 * categories, which aggregation) is drawn anew `draws` times with all else fixed; its reliability is the mean agreement of the results
 * of independent draws, pair by pair. The interval resamples draws (pairs share draws, so pairs aren't resampled by themselves; a draw
 * paired with itself is left out). O(draws² × models² + bootstraps × draws²).
 */
export function reliabilityOf(
  draw: (random: Random) => ArrayLike<number>,
  random: Random,
  {
    draws = 40,
    bootstraps = 200,
    level = 0.95,
    agreement = kendall,
  }: {
    readonly draws?: number
    readonly bootstraps?: number
    readonly level?: number
    readonly agreement?: (left: ArrayLike<number>, right: ArrayLike<number>) => number
  } = {},
): Reliability {
  if (draws < 3) throw new RangeError(`agreement needs 3 draws at least, not ${draws}`)
  const results = Array.from({ length: draws }, () => draw(random))
  const table = new Float64Array(draws * draws)
  for (let i = 0; i < draws; i++)
    for (let j = 0; j < i; j++) table[i * draws + j] = table[j * draws + i] = agreement(results[i] ?? [], results[j] ?? [])
  const meanOver = (chosen: readonly number[]): number => {
    let sum = 0
    let pairs = 0
    for (const [place, i] of chosen.entries())
      for (let other = 0; other < place; other++) {
        const j = chosen[other] ?? 0
        if (i === j) continue
        sum += table[i * draws + j] ?? 0
        pairs += 1
      }
    return pairs === 0 ? NaN : sum / pairs
  }
  const value = meanOver(results.map((_, index) => index))
  const resampled = Array.from({ length: bootstraps }, () => meanOver(results.map(() => Math.floor(random.next() * draws)))).filter(
    (mean) => !Number.isNaN(mean),
  )
  const [low, high] = [quantile(resampled, (1 - level) / 2), quantile(resampled, (1 + level) / 2)]
  return {
    agreement: { value, low, high, n: draws, method: `bootstrap over draws, ${Math.round(100 * level)} %` },
    conservative: low,
    impact: 1 - value,
  }
}

function first(numbers: ArrayLike<number>): number {
  let best = 0
  for (let model = 1; model < numbers.length; model++) if ((numbers[model] ?? 0) > (numbers[best] ?? 0)) best = model
  return best
}
