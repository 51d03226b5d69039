import { averageQuality, hypervolume, paretoFront, type CostQuality } from './front.js'
import { gapRecovered } from './gap-recovery.js'
import type { MetricCard } from './metric.js'

/** An arm's means over the requests that all arms answered. */
export interface ArmPoint extends CostQuality {
  readonly arm: string
}

export interface SetSettings {
  readonly strong?: string | undefined
  readonly weak?: string | undefined
}

/** A metric of a set of arms, from their mean costs and qualities over the requests that all of them answered. */
export interface SetMetric extends MetricCard {
  /** One number for each arm, or one for the set. */
  readonly of: 'arms' | 'set'
  /** `share`: what is told is the share of bootstrap draws in which the number is 1. */
  readonly told: 'estimate' | 'share'
  readonly asks?: 'strong and weak' | undefined
  /** One number an arm, or a single one. `whole`: the points of the table itself, for what must be the same in all draws. */
  values(points: readonly ArmPoint[], whole: readonly ArmPoint[], settings: SetSettings): readonly (number | null)[]
}

const front: SetMetric = {
  id: 'pareto',
  title: 'On the Pareto front',
  unit: '',
  formula:
    'share of bootstrap draws in which no other arm is as cheap and as good and better in one (cost by --cost): the confidence region of the front',
  source: '122, Toward efficient agents',
  better: 'higher',
  of: 'arms',
  told: 'share',
  values(points) {
    // Arms that are alike in both stand on it together: which comes first in the alphabet says nothing.
    const on = paretoFront(points)
    return points.map(({ cost, quality }) => (on.some((point) => point.cost === cost && point.quality === quality) ? 1 : 0))
  },
}

const recovered: SetMetric = {
  id: 'pgr',
  title: 'Performance gap recovered',
  unit: '',
  formula: 'PGR = (Q - Q_weak) / (Q_strong - Q_weak), by --strong and --weak',
  source: 'RouteLLM (Ong et al. 2024)',
  better: 'higher',
  of: 'arms',
  told: 'estimate',
  asks: 'strong and weak',
  values(points, _whole, { strong, weak }) {
    const of = (name: string | undefined) => points.find(({ arm }) => arm === name)?.quality ?? NaN
    return points.map(({ quality }) => gapRecovered(quality, of(weak), of(strong)))
  },
}

const volume: SetMetric = {
  id: 'hypervolume',
  title: 'Hypervolume',
  unit: '',
  formula: 'area that the front dominates up to the dearest arm’s mean cost and a quality of 0, over that cost',
  source: '122, Toward efficient agents',
  better: 'higher',
  of: 'set',
  told: 'estimate',
  values(points, whole) {
    const cost = Math.max(...whole.map((point) => point.cost))
    // The dearest arm itself adds nothing up to its own cost.
    return [cost > 0 ? hypervolume(points, { cost, quality: 0 }) / cost : null]
  },
}

const average: SetMetric = {
  id: 'aiq',
  title: 'Average quality over costs',
  unit: '',
  formula: 'AIQ = mean quality of the best mixtures of arms over costs from the cheapest to the dearest arm',
  source: 'RouterBench (Hu et al. 2024)',
  better: 'higher',
  of: 'set',
  told: 'estimate',
  values(points) {
    const costs = points.map(({ cost }) => cost)
    const [from, to] = [Math.min(...costs), Math.max(...costs)]
    return [to > from ? averageQuality(points, from, to) : null]
  },
}

/** Metrics of all arms together. */
export const setMetrics: readonly SetMetric[] = [front, recovered, volume, average]
