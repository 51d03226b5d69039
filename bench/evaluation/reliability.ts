import {
  itemMatrix,
  kendall,
  placeByTiers,
  ranksOf,
  reliabilityOf,
  sameWinner,
  standings,
  stratifiedItems,
  type Aggregation,
  type Reliability,
  type Tier,
} from '../../src/evaluation/index.js'
import { childRandom } from '../../src/statistics/index.js'
import type { ScoreMatrix } from '../data/score-matrices.js'
import { trueMeans } from './best-arm.js'

export interface ReliabilityResult {
  readonly data: string
  readonly items: number
  readonly aggregation: Aggregation
  readonly ranking: Reliability
  readonly winner: Reliability
}

/** The decision "so many items, put together so", drawn anew: how well two draws agree (DIoR, 098). */
export function measureReliability(data: ScoreMatrix, sizes: readonly number[], seed: number): ReliabilityResult[] {
  const matrix = itemMatrix(data.scores, data.categoryOf)
  const aggregations: readonly Aggregation[] = data.categories.length > 1 ? ['mean', 'win rate'] : ['mean']
  return sizes.flatMap((items) =>
    aggregations.map((aggregation) => {
      const of = (agreement: typeof kendall) =>
        reliabilityOf(
          (random) => standings(matrix, stratifiedItems(matrix.categoryOf, items, random), aggregation),
          childRandom(seed, `${items} ${aggregation}`),
          { agreement },
        )
      return { data: data.name, items, aggregation, ranking: of(kendall), winner: of(sameWinner) }
    }),
  )
}

export interface TierResult {
  readonly data: string
  readonly z: number
  /** Mean items scored, as a share of all. */
  readonly share: number
  /** Share of placements of the five truly best with a rank error of 1 at most; of the others, with one of 3 at most. */
  readonly topWithin1: number
  readonly restWithin3: number
  /** The same from as many random items for every model, at the same mean cost. */
  readonly uniformTop: number
  readonly uniformRest: number
}

/** Every model in turn is new and placed among the others (Flash-HELM, 098). */
export function measureTiers(data: ScoreMatrix, seeds: number, seed: number, z: number): TierResult {
  const { items, scores, name } = data
  const tiers: Tier[] = [0.02, 0.05, 0.15, 0.5].map((share, stage) => ({
    items: Math.max(5, Math.round(share * items)),
    place: [10, 6, 5, 1][stage] ?? 1,
  }))
  const truth = ranksOf(trueMeans(data))
  const outcomes: { readonly rank: number; readonly error: number; readonly items: number }[] = []
  const plain: { readonly rank: number; readonly error: number }[] = []
  const place = (model: number, stages: readonly Tier[], run: number) => {
    const order = stratifiedItems(data.categoryOf, items, childRandom(seed + run, `order ${model}`))
    const found = placeByTiers(
      scores.filter((_, other) => other !== model),
      (item) => scores[model]?.[item] ?? NaN,
      order,
      stages,
      { z },
    )
    const rank = truth[model] ?? NaN
    return { rank, error: Math.abs(found.rank - rank), items: found.items }
  }
  for (let run = 0; run < seeds; run++) for (let model = 0; model < scores.length; model++) outcomes.push(place(model, tiers, run))
  const cost = Math.round(outcomes.reduce((sum, one) => sum + one.items, 0) / outcomes.length)
  for (let run = 0; run < seeds; run++)
    for (let model = 0; model < scores.length; model++) plain.push(place(model, [{ items: cost, place: 1 }], run))
  const share = (rows: readonly { readonly rank: number; readonly error: number }[], top: boolean) => {
    const chosen = rows.filter(({ rank }) => rank <= 5 === top)
    return chosen.filter(({ error }) => error <= (top ? 1 : 3)).length / chosen.length
  }
  return {
    data: name,
    z,
    share: cost / items,
    topWithin1: share(outcomes, true),
    restWithin3: share(outcomes, false),
    uniformTop: share(plain, true),
    uniformRest: share(plain, false),
  }
}
