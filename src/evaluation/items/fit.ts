import { meanOf, type ItemMatrix } from './matrix.js'

/**
 * What known models teach about a test set's items: the two-parameter logistic model of item response theory, with a deviation of each
 * model in each category,
 *
 *     P(score 1 of model j on item i) = σ(a_i θ_j + d_i + u_jc),   θ ~ N(0, 1),   u_j ~ N(0, Σ)
 *
 * a_i: how well the item tells able models from others; d_i: how easy it is; c: the item's category. Scores between 0 and 1 enter as
 * shares of successes.
 */
export interface ItemFit {
  readonly items: number
  /** a_i. */
  readonly slope: Float64Array
  /** d_i. */
  readonly ease: Float64Array
  /** θ of the models that it was fitted on, in their order; mean 0, deviation 1. */
  readonly ability: Float64Array
  readonly categoryOf: Int32Array
  readonly categories: number
  /**
   * Σ, categories × categories by rows: how far models are better or worse in a category than their ability says, and together in
   * which.
   */
  readonly deviation: Float64Array
}

export interface FitOptions {
  /** Rounds of items given models, models given items, priors given both. */
  readonly rounds?: number
  /** How much of the correlations between categories' deviations is taken away, in [0, 1]: with few models most of them are chance. */
  readonly shrinkage?: number
  /**
   * What Σ as found is multiplied by: items are fitted to the very deviations, and a model that is new deviates more than those known
   * did from what was fitted to them.
   */
  readonly widening?: number
  /** How much of a category's variance is its own as found, in [0, 1]; the rest is the mean of all categories'. */
  readonly own?: number
}

/** Chosen on open_llm_lb_v2 by leaving models out; see `bench/evaluation.ts`. */
export const FIT_DEFAULTS: Required<FitOptions> = { rounds: 6, shrinkage: 0.2, widening: 2, own: 0.95 }

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))

/**
 * Fits items and models by joint maximum a posteriori, Newton's steps in turn; a_i and d_i have normal priors about their category's
 * mean, whose spread is estimated as it goes (empirical Bayes), so that with ten models an item says little for itself and its category
 * much. O(rounds × models × items) time; memory of a few numbers an item. Throws `RangeError` for fewer than 3 models.
 */
export function fitItems(matrix: ItemMatrix, options: FitOptions = {}): ItemFit {
  const { rounds, shrinkage, widening, own } = { ...FIT_DEFAULTS, ...options }
  const { models, items, categoryOf, categories } = matrix
  if (models < 3) throw new RangeError(`items are fitted on 3 models at least, not ${models}`)
  const means = Array.from({ length: models }, (_, model) => Math.min(0.999, Math.max(0.001, meanOf(matrix, model))))
  const ability = Float64Array.from(means, (mean) => Math.log(mean / (1 - mean)))
  standardise(ability)
  const overall = means.reduce((sum, mean) => sum + mean, 0) / models
  const slope = new Float64Array(items).fill(1)
  const ease = new Float64Array(items).fill(Math.log(overall / (1 - overall)))
  let priors: Priors = {
    slope: new Float64Array(categories).fill(1),
    ease: new Float64Array(categories).fill(ease[0] ?? 0),
    slopeSpread: 0.5,
    easeSpread: 2,
  }
  for (let round = 0; round < rounds; round++) {
    const doubt = newtonItems(matrix, ability, slope, ease, priors, round === 0 ? 6 : 2)
    priors = priorsOf(slope, ease, doubt, categoryOf, categories)
    newtonModels(matrix, ability, slope, ease)
    const { centre, spread } = standardise(ability)
    for (let item = 0; item < items; item++) {
      ease[item] = (ease[item] ?? 0) + (slope[item] ?? 0) * centre
      slope[item] = (slope[item] ?? 0) * spread
    }
  }
  return {
    items,
    slope,
    ease,
    ability,
    categoryOf,
    categories,
    deviation: deviationOf(matrix, ability, slope, ease, { shrinkage, widening, own }),
  }
}

interface Priors {
  /** By category. */
  readonly slope: Float64Array
  readonly ease: Float64Array
  /** Variances. */
  readonly slopeSpread: number
  readonly easeSpread: number
}

/** Some of Newton's steps for every item, models held. Returns the mean posterior variances of a and d. */
function newtonItems(
  { models, items, scores, categoryOf }: ItemMatrix,
  ability: Float64Array,
  slope: Float64Array,
  ease: Float64Array,
  priors: Priors,
  steps: number,
): { readonly slope: number; readonly ease: number } {
  let slopes = 0
  let eases = 0
  for (let item = 0; item < items; item++) {
    const category = categoryOf[item] ?? 0
    let a = slope[item] ?? 0
    let d = ease[item] ?? 0
    for (let step = 0; step <= steps; step++) {
      let ga = ((priors.slope[category] ?? 0) - a) / priors.slopeSpread
      let gd = ((priors.ease[category] ?? 0) - d) / priors.easeSpread
      let haa = 1 / priors.slopeSpread
      let had = 0
      let hdd = 1 / priors.easeSpread
      for (let model = 0; model < models; model++) {
        const score = scores[model * items + item] ?? NaN
        if (Number.isNaN(score)) continue
        const theta = ability[model] ?? 0
        const p = sigmoid(a * theta + d)
        const weight = p * (1 - p)
        ga += (score - p) * theta
        gd += score - p
        haa += weight * theta * theta
        had += weight * theta
        hdd += weight
      }
      const determinant = haa * hdd - had * had
      if (step === steps) {
        slopes += hdd / determinant
        eases += haa / determinant
        break
      }
      a += clamp((hdd * ga - had * gd) / determinant)
      d += clamp((haa * gd - had * ga) / determinant)
    }
    slope[item] = a
    ease[item] = d
  }
  return { slope: slopes / items, ease: eases / items }
}

/** Means by category, shrunk to all items' as if 20 more items had that; spreads about them with what is unsure of each. */
function priorsOf(
  slope: Float64Array,
  ease: Float64Array,
  doubt: { readonly slope: number; readonly ease: number },
  categoryOf: Int32Array,
  categories: number,
): Priors {
  const centred = (values: Float64Array): { readonly means: Float64Array; readonly variance: number } => {
    const all = values.reduce((sum, value) => sum + value, 0) / values.length
    const means = new Float64Array(categories).fill(20 * all)
    const counts = new Float64Array(categories).fill(20)
    for (const [item, value] of values.entries()) {
      const category = categoryOf[item] ?? 0
      means[category] = (means[category] ?? 0) + value
      counts[category] = (counts[category] ?? 0) + 1
    }
    for (let category = 0; category < categories; category++) means[category] = (means[category] ?? 0) / (counts[category] ?? 1)
    let squares = 0
    for (const [item, value] of values.entries()) squares += (value - (means[categoryOf[item] ?? 0] ?? 0)) ** 2
    return { means, variance: squares / values.length }
  }
  const slopes = centred(slope)
  const eases = centred(ease)
  return { slope: slopes.means, ease: eases.means, slopeSpread: slopes.variance + doubt.slope, easeSpread: eases.variance + doubt.ease }
}

/** Two of Newton's steps for every model's ability, items held, prior N(0, 1). */
function newtonModels({ models, items, scores }: ItemMatrix, ability: Float64Array, slope: Float64Array, ease: Float64Array): void {
  for (let model = 0; model < models; model++)
    for (let step = 0; step < 2; step++) {
      const theta = ability[model] ?? 0
      let gradient = -theta
      let curvature = 1
      for (let item = 0; item < items; item++) {
        const score = scores[model * items + item] ?? NaN
        if (Number.isNaN(score)) continue
        const a = slope[item] ?? 0
        const p = sigmoid(a * theta + (ease[item] ?? 0))
        gradient += a * (score - p)
        curvature += a * a * p * (1 - p)
      }
      ability[model] = theta + clamp(gradient / curvature)
    }
}

/** Σ by moments: each known model's deviation in each category (one of Newton's steps from 0), less what their own noise makes. */
function deviationOf(
  { models, items, scores, categoryOf, categories }: ItemMatrix,
  ability: Float64Array,
  slope: Float64Array,
  ease: Float64Array,
  { shrinkage, widening, own }: Pick<Required<FitOptions>, 'shrinkage' | 'widening' | 'own'>,
): Float64Array {
  const found = new Float64Array(models * categories)
  const noise = new Float64Array(categories)
  for (let model = 0; model < models; model++) {
    const excess = new Float64Array(categories)
    const weights = new Float64Array(categories)
    for (let item = 0; item < items; item++) {
      const score = scores[model * items + item] ?? NaN
      if (Number.isNaN(score)) continue
      const category = categoryOf[item] ?? 0
      const p = sigmoid((slope[item] ?? 0) * (ability[model] ?? 0) + (ease[item] ?? 0))
      excess[category] = (excess[category] ?? 0) + score - p
      weights[category] = (weights[category] ?? 0) + p * (1 - p)
    }
    for (let category = 0; category < categories; category++) {
      const weight = (weights[category] ?? 0) + 1
      found[model * categories + category] = (excess[category] ?? 0) / weight
      noise[category] = (noise[category] ?? 0) + 1 / weight / models
    }
  }
  // Two parameters of each item were fitted to these models.
  const freedom = Math.max(1, models - 2)
  const raw = new Float64Array(categories * categories)
  for (let row = 0; row < categories; row++)
    for (let column = 0; column < categories; column++) {
      let sum = 0
      for (let model = 0; model < models; model++) sum += (found[model * categories + row] ?? 0) * (found[model * categories + column] ?? 0)
      raw[row * categories + column] = sum / freedom
    }
  const diagonal = Float64Array.from({ length: categories }, (_, category) => raw[category * categories + category] ?? 0)
  const apart = diagonal.map((variance, category) => Math.max(0.005, variance - (noise[category] ?? 0)))
  const average = apart.reduce((sum, variance) => sum + variance, 0) / categories
  // Few models tell a variance badly: some of it is all categories'.
  const variance = apart.map((value) => widening * (own * value + (1 - own) * average))
  return raw.map((covariance, index) => {
    const [row, column] = [Math.floor(index / categories), index % categories]
    const scale = Math.sqrt((variance[row] ?? 0) * (variance[column] ?? 0))
    if (row === column) return scale
    return ((1 - shrinkage) * covariance * scale) / (Math.sqrt((diagonal[row] ?? 0) * (diagonal[column] ?? 0)) + 1e-12)
  })
}

/** Makes mean 0 and deviation 1 of the values, in place. */
function standardise(values: Float64Array): { readonly centre: number; readonly spread: number } {
  const centre = values.reduce((sum, value) => sum + value, 0) / values.length
  const spread = Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1)) || 1
  for (let index = 0; index < values.length; index++) values[index] = ((values[index] ?? 0) - centre) / spread
  return { centre, spread }
}

function clamp(step: number): number {
  return Math.min(1, Math.max(-1, step))
}
