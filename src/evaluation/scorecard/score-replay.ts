import { BursarError } from '../../errors/index.js'
import { meanQuality } from './metrics/mean-quality.js'
import { meanUsd } from './metrics/mean-usd.js'
import { cardOf, type Score, type ScoredMetric } from './scorecard.js'
import type { TableScores } from './score-table.js'
import { setMetrics } from './set-metrics.js'

/** A policy as `bursar replay --json` tells it. */
interface ReplayedMeans {
  readonly name: string
  readonly quality: number
  /** Bounds of the quality's interval; `NaN` where the result tells none. */
  readonly low: number
  readonly high: number
  /** Dollars a request. */
  readonly usd: number
}

/**
 * Scores what `bursar replay --json` wrote: each policy is an arm with its mean quality and dollars. It holds means only, so
 * that what needs requests can't be told, and no interval but that of the quality. `null` for a text that is no such result, as an
 * outcome table isn't. Throws `invalid_configuration` that names the policy and field for a result that is damaged. O(policies log
 * policies).
 */
export function scoreReplay(text: string): TableScores | null {
  const summary = summaryOf(text)
  if (summary === null) return null
  const points = summary.policies.map(policyOf).filter(({ quality, usd }) => Number.isFinite(quality) && Number.isFinite(usd))
  if (points.length === 0) throw wrong('no policy has a quality and dollars')
  const n = summary.requests
  const of = (value: number): Score => ({ value, low: NaN, high: NaN, n, method: 'mean of a replay; no requests to draw from' })
  const each = (value: (point: ReplayedMeans) => number) => Object.fromEntries(points.map((point) => [point.name, of(value(point))]))
  const arms = points.map(({ name, quality, usd }) => ({ arm: name, quality, cost: usd }))
  const sets = setMetrics
    .filter(({ asks }) => asks === undefined)
    .map((metric): ScoredMetric => {
      const values = arms.length < 2 ? [] : metric.values(arms, arms, {})
      const scores = Object.fromEntries(
        (metric.of === 'arms' ? arms.map(({ arm }) => arm) : ['']).flatMap((name, place) =>
          values[place] == null ? [] : [[name, of(values[place])]],
        ),
      )
      return { metric: cardOf(metric), scores, ...(Object.keys(scores).length === 0 ? { missing: 'It takes two policies.' } : {}) }
    })
  const metrics = [
    {
      metric: cardOf(meanQuality),
      scores: Object.fromEntries(
        points.map(({ name, quality, low, high }) => [name, { ...of(quality), low, high, method: 'as the replay tells it' }]),
      ),
    },
    { metric: cardOf(meanUsd), scores: each(({ usd }) => usd) },
    ...sets,
  ]
  return {
    arms: points.map(({ name }) => name),
    metrics,
    categories: [],
    requests: n,
    leftOut: 0,
    strangers: 0,
    draws: 0,
    seed: 0,
    cost: 'usd',
  }
}

function summaryOf(text: string): { readonly policies: readonly unknown[]; readonly requests: number } | null {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return null
  }
  if (typeof json !== 'object' || json === null || !('policies' in json) || !Array.isArray(json.policies)) return null
  return { policies: json.policies, requests: 'requests' in json && typeof json.requests === 'number' ? json.requests : NaN }
}

function policyOf(policy: unknown, place: number): ReplayedMeans {
  if (typeof policy !== 'object' || policy === null || !('name' in policy) || typeof policy.name !== 'string')
    throw wrong(`policies[${place}].name: a text was expected`)
  // JSON knows no NaN: what a replay couldn't tell is null there.
  const number = (field: 'quality' | 'usdPerThousand') => {
    const value: unknown = Reflect.get(policy, field)
    if (value === null) return NaN
    if (typeof value !== 'number') throw wrong(`policies[${place}].${field}: a number was expected`)
    return value
  }
  const interval: unknown = 'qualityInterval' in policy ? policy.qualityInterval : null
  const bound = (end: 'low' | 'high') => {
    const value: unknown = typeof interval === 'object' && interval !== null ? Reflect.get(interval, end) : null
    return typeof value === 'number' ? value : NaN
  }
  return { name: policy.name, quality: number('quality'), low: bound('low'), high: bound('high'), usd: number('usdPerThousand') / 1_000 }
}

function wrong(what: string): BursarError {
  return new BursarError(`The result of a replay can't be scored: ${what}.`, { code: 'invalid_configuration', status: 500 })
}
