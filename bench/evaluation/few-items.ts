import {
  anchorItems,
  clusterAnchors,
  estimateMean,
  fitItems,
  itemMatrix,
  meanOf,
  modelsOf,
  nextItems,
  stratifiedItems,
  weightedMean,
  type ItemFit,
  type ItemMatrix,
  type ItemScore,
} from '../../src/evaluation/index.js'
import { childRandom, type Random } from '../../src/statistics/index.js'
import type { ScoreMatrix } from '../data/score-matrices.js'

/** Ways to tell an unseen model's mean from few items. Random items come first: they are what the others are held against. */
export const estimators = [
  'random items, plain mean',
  'random items by category, plain mean',
  'anchor points (k-means), weighted mean',
  'random items by category, item response',
  'anchor items, item response',
  'adaptive items, item response',
] as const
export type Estimator = (typeof estimators)[number]

export interface FewItemsResult {
  readonly data: string
  readonly items: number
  readonly estimator: Estimator
  /** Mean over models and seeds of |estimate - mean over all items|, in points of 100, with its standard error over models. */
  readonly error: number
  readonly standardError: number
  /** The worst model's mean error. */
  readonly worst: number
  /** Share of 95 % intervals that held; `null` where there is none. */
  readonly coverage: number | null
}

/** Every model in turn is the unseen one; items are fitted and chosen on the others alone. */
export function measureFewItems(
  data: ScoreMatrix,
  sizes: readonly number[],
  seeds: number,
  seed: number,
  progress: (done: number, all: number) => void,
): FewItemsResult[] {
  const matrix = itemMatrix(data.scores, data.categoryOf)
  const errors = new Map<string, number[][]>()
  const held = new Map<string, number[]>()
  for (let unseen = 0; unseen < matrix.models; unseen++) {
    const others = modelsOf(
      matrix,
      [...Array(matrix.models).keys()].filter((model) => model !== unseen),
    )
    const fit = fitItems(others)
    const truth = meanOf(matrix, unseen)
    const scoreOf = (item: number) => matrix.scores[unseen * matrix.items + item] ?? NaN
    const anchors = anchorItems(fit, Math.max(...sizes))
    for (const size of sizes)
      for (const estimator of estimators)
        for (let run = 0; run < (estimator === 'anchor items, item response' || estimator.startsWith('anchor points') ? 1 : seeds); run++) {
          const found = estimateBy(estimator, { fit, others, anchors, size, scoreOf, random: childRandom(seed + run, `${unseen} ${size}`) })
          const key = `${size} ${estimator}`
          const rows = errors.get(key) ?? Array.from({ length: matrix.models }, (): number[] => [])
          errors.set(key, rows)
          rows[unseen]?.push(Math.abs(found.value - truth))
          if (found.interval) held.set(key, [...(held.get(key) ?? []), found.interval.low <= truth && truth <= found.interval.high ? 1 : 0])
        }
    progress(unseen + 1, matrix.models)
  }
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  return sizes.flatMap((items) =>
    estimators.map((estimator) => {
      const byModel = (errors.get(`${items} ${estimator}`) ?? []).map((values) => 100 * mean(values))
      const error = mean(byModel)
      const spread = Math.sqrt(byModel.reduce((sum, value) => sum + (value - error) ** 2, 0) / (byModel.length - 1))
      const covered = held.get(`${items} ${estimator}`)
      return {
        data: data.name,
        items,
        estimator,
        error,
        standardError: spread / Math.sqrt(byModel.length),
        worst: Math.max(...byModel),
        coverage: covered ? mean(covered) : null,
      }
    }),
  )
}

interface Task {
  readonly fit: ItemFit
  readonly others: ItemMatrix
  readonly anchors: readonly number[]
  readonly size: number
  readonly scoreOf: (item: number) => number
  readonly random: Random
}

function estimateBy(
  estimator: Estimator,
  { fit, others, anchors, size, scoreOf, random }: Task,
): { readonly value: number; readonly interval?: { readonly low: number; readonly high: number } } {
  const seen = (items: readonly number[]): ItemScore[] => items.map((item) => ({ item, score: scoreOf(item) }))
  const plain = (items: readonly number[]) => ({ value: items.reduce((sum, item) => sum + scoreOf(item), 0) / items.length })
  const byItems = (items: readonly number[]) => {
    const interval = estimateMean(fit, seen(items))
    return { value: interval.value, interval }
  }
  if (estimator === 'random items, plain mean') return plain(stratifiedItems(new Int32Array(fit.items), size, random))
  if (estimator === 'random items by category, plain mean') return plain(stratifiedItems(fit.categoryOf, size, random))
  if (estimator === 'random items by category, item response') return byItems(stratifiedItems(fit.categoryOf, size, random))
  if (estimator === 'anchor items, item response') return byItems(anchors.slice(0, size))
  if (estimator === 'adaptive items, item response') return byItems(adaptive(fit, size, scoreOf, random))
  const points = clusterAnchors(others, size, random, { sweeps: 4 })
  return { value: weightedMean(points, seen(points.items)) }
}

/** A fifth by category at random, then four at a time where the model itself is least sure. */
function adaptive(fit: ItemFit, size: number, scoreOf: (item: number) => number, random: Random): number[] {
  const items = stratifiedItems(fit.categoryOf, Math.max(1, Math.ceil(size / 5)), random)
  while (items.length < size)
    items.push(
      ...nextItems(
        fit,
        items.map((item) => ({ item, score: scoreOf(item) })),
        Math.min(size > 100 ? 20 : 4, size - items.length),
      ),
    )
  return items
}
