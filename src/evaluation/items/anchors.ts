import type { Random } from '../../statistics/index.js'
import { beliefAt, beliefOf, priorCovariance, quadratic, type ItemScore, type ModelBelief } from './estimate.js'
import type { ItemFit } from './fit.js'

/** Abilities that a set of items must serve: the middles of four equal parts of the known models' law, N(0, 1). */
const ABILITIES = [-1.15, -0.32, 0.32, 1.15] as const

/**
 * The k items that tell most of an unseen model's mean score: one after the other, each time the item that takes most from the variance
 * of the mean that is left, as a share of it, on average over abilities. Since deviations in categories are part of that variance,
 * items spread over categories by themselves. For items that are chosen once for all models. O(k × (items + C²)), C categories. Throws
 * `RangeError` for more items than there are.
 */
export function anchorItems(fit: ItemFit, k: number): number[] {
  const beliefs = ABILITIES.map((ability) => {
    const mode = new Float64Array(fit.categories + 1)
    mode[0] = ability
    return beliefAt(fit, mode, priorCovariance(fit))
  })
  return mostTelling(fit, beliefs, [], k)
}

/**
 * The next `count` items for a model that was scored on some: those that take most from what is unsure of *its* mean. Adaptive: what a
 * model was right and wrong on decides where it is asked next. O(count × (items + C²) + C³).
 */
export function nextItems(fit: ItemFit, observed: readonly ItemScore[], count: number): number[] {
  return mostTelling(
    fit,
    [beliefOf(fit, observed)],
    observed.map(({ item }) => item),
    count,
  )
}

/**
 * The item that an able-as-this model tells most of its ability by: the largest Fisher information a²p(1 - p) among those not taken
 * (maximum information, the usual rule of adaptive tests). It looks at ability alone; `nextItems` looks at the mean score.
 */
export function mostInformative(fit: ItemFit, ability: number, taken: ReadonlySet<number>): number {
  let best = -1
  let most = -Infinity
  for (let item = 0; item < fit.items; item++) {
    if (taken.has(item)) continue
    const a = fit.slope[item] ?? 0
    const p = 1 / (1 + Math.exp(-(a * ability + (fit.ease[item] ?? 0))))
    const information = a * a * p * (1 - p)
    if (information > most) [best, most] = [item, information]
  }
  return best
}

/**
 * k items of all categories by their shares (largest remainders at random), random within a category. Throws `RangeError` for more
 * items than there are.
 */
export function stratifiedItems(categoryOf: ArrayLike<number>, k: number, random: Random): number[] {
  const byCategory = new Map<number, number[]>()
  for (let item = 0; item < categoryOf.length; item++) {
    const category = categoryOf[item] ?? 0
    const list = byCategory.get(category)
    if (list) list.push(item)
    else byCategory.set(category, [item])
  }
  check(k, categoryOf.length)
  const places: { readonly item: number; readonly place: number }[] = []
  for (const list of byCategory.values()) {
    for (let index = list.length - 1; index > 0; index--) {
      const other = Math.floor(random.next() * (index + 1))
      ;[list[index], list[other]] = [list[other] ?? 0, list[index] ?? 0]
    }
    const start = random.next()
    for (const [index, item] of list.entries()) places.push({ item, place: (index + start) / list.length })
  }
  return places
    .sort((a, b) => a.place - b.place)
    .slice(0, k)
    .map(({ item }) => item)
}

/** A belief whose covariance is changed as items are taken. */
interface Course {
  readonly chance: Float64Array
  readonly gradient: Float64Array
  readonly covariance: Float64Array
}

function mostTelling(fit: ItemFit, beliefs: readonly ModelBelief[], taken: readonly number[], count: number): number[] {
  check(count, fit.items - taken.length)
  const size = fit.categories + 1
  const courses = beliefs.map(({ chance, gradient, covariance }): Course => ({ chance, gradient, covariance: covariance.slice() }))
  const used = new Uint8Array(fit.items)
  for (const item of taken) used[item] = 1
  const chosen: number[] = []
  while (chosen.length < count) {
    const gains = new Float64Array(fit.items)
    for (const { chance, gradient, covariance } of courses) {
      const reach = product(covariance, gradient)
      const left = quadratic(covariance, gradient)
      for (let item = 0; item < fit.items; item++) {
        if (used[item] === 1) continue
        const a = fit.slope[item] ?? 0
        const place = (fit.categoryOf[item] ?? 0) + 1
        const p = chance[item] ?? 0
        const weight = p * (1 - p)
        const spread = a * a * (covariance[0] ?? 0) + 2 * a * (covariance[place] ?? 0) + (covariance[place * size + place] ?? 0)
        gains[item] = (gains[item] ?? 0) + (weight * (a * (reach[0] ?? 0) + (reach[place] ?? 0)) ** 2) / (1 + weight * spread) / left
      }
    }
    let best = -1
    let most = -1
    for (let item = 0; item < fit.items; item++) if (used[item] !== 1 && (gains[item] ?? 0) > most) [best, most] = [item, gains[item] ?? 0]
    used[best] = 1
    chosen.push(best)
    for (const { chance, covariance } of courses)
      take(covariance, size, fit.slope[best] ?? 0, (fit.categoryOf[best] ?? 0) + 1, chance[best] ?? 0)
  }
  return chosen
}

/** The covariance after an item was seen: C - w·(Cx)(Cx)'/(1 + w·x'Cx), x = a at the ability and 1 at the category. */
function take(covariance: Float64Array, size: number, a: number, place: number, p: number): void {
  const weight = p * (1 - p)
  const x = Float64Array.from({ length: size }, (_, row) => a * (covariance[row * size] ?? 0) + (covariance[row * size + place] ?? 0))
  const scale = weight / (1 + weight * (a * (x[0] ?? 0) + (x[place] ?? 0)))
  for (let row = 0; row < size; row++)
    for (let column = 0; column < size; column++)
      covariance[row * size + column] = (covariance[row * size + column] ?? 0) - scale * (x[row] ?? 0) * (x[column] ?? 0)
}

function product(matrix: Float64Array, vector: Float64Array): Float64Array {
  const size = vector.length
  return Float64Array.from({ length: size }, (_, row) => {
    let sum = 0
    for (let column = 0; column < size; column++) sum += (matrix[row * size + column] ?? 0) * (vector[column] ?? 0)
    return sum
  })
}

function check(k: number, most: number): void {
  if (!Number.isInteger(k) || k < 1 || k > most) throw new RangeError(`a whole number of items from 1 to ${most} can be chosen, not ${k}`)
}
