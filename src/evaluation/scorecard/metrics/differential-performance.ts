import { costClusters, differentialPerformance } from '../samples.js'
import type { Metric } from '../metric.js'

/**
 * Differential performance score (130) of costs in the place of instructions: the costs of all arms' right answers to a request are
 * clustered; an arm scores the share of answers in clusters as dear as its own or dearer, 0 where it was wrong. Requests with fewer
 * than two right answers of a cost above 0 count nothing.
 */
export const differentialScore: Metric = {
  id: 'dps',
  title: 'Differential performance',
  unit: '',
  formula: 'DPS = share of right answers to the request as dear or dearer, by clusters of costs (--cost); 0 where wrong',
  source: '130, EvalPerf',
  better: 'higher',
  needs: ['quality'],
  width: 1,
  terms(outcome, _arm, row, { cost }) {
    const own = outcome[cost]
    if (own === undefined) return null
    const costs: number[] = []
    for (const other of row.outcomes.values()) {
      const taken = other[cost]
      if (other.quality !== undefined && other.quality >= 0.5 && taken !== undefined && taken > 0) costs.push(taken)
    }
    if (costs.length < 2) return null
    return [differentialPerformance((outcome.quality ?? 0) >= 0.5 && own > 0 ? own : null, costClusters(costs)).score]
  },
  of: ([score = NaN]) => score,
}
