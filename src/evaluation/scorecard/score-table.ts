import { readOutcomeTable, type OutcomeRow } from '../../environment/index.js'
import { BursarError, InvalidRequest } from '../../errors/index.js'
import { pricesOf } from '../replay/log.js'
import type { CostField, MetricCard } from './metric.js'
import { armMetrics } from './metrics/registry.js'
import { rankMetrics, RankedGap } from './ranked-gap.js'
import { Scorecard, type ScoredMetric, type ScorecardOptions } from './scorecard.js'
import { setMetrics } from './set-metrics.js'

/** Rows that are looked at to find out which arms a table has. */
const rowsLookedAt = 1_000
/** Categories that are scored on their own; the rest are scored together. */
const mostCategories = 60
/** Arms that are scored at once: each takes some 300 KB of sums, whatever the length of the table. */
const mostArms = 1_000
/** Draws for rankings, each of which goes through all requests. */
const mostRankDraws = 200
/** What is told of each category where no metrics are named: the whole card of each would be a book. */
const ofCategories = ['quality', 'usd', 'cost-of-pass', 'tokens', 'seconds', 'quality-difference']

/** All that `bursar score` can tell of an outcome table, in its order. */
export const scoreMetrics: readonly MetricCard[] = [...armMetrics, ...setMetrics, ...Object.values(rankMetrics)]

export interface TableScoring {
  /** Ids of metrics; absent: all. */
  readonly metrics?: readonly string[] | undefined
  /** Arms that count, with `reference`, `strong` and `weak` where they are told; absent: those of the table's first thousand rows. */
  readonly arms?: readonly string[] | undefined
  readonly reference?: string | undefined
  readonly strong?: string | undefined
  readonly weak?: string | undefined
  readonly byCategory?: boolean | undefined
  /** A router's score by the request's id: the higher, the sooner the request goes to the strong arm. */
  readonly scores?: ReadonlyMap<string, number> | undefined
  readonly k: number
  readonly budgets: readonly number[]
  readonly cost: CostField
  readonly draws: number
  readonly seed: number
  readonly signal: AbortSignal
  onBytes?(bytes: Uint8Array): void
  /** Told of rows that are wrong: file, row and field. They are left out. */
  onFault?(fault: BursarError): void
}

export interface TableScores {
  readonly arms: readonly string[]
  readonly metrics: readonly ScoredMetric[]
  /** By category, in the order of their first rows. */
  readonly categories: readonly { readonly name: string; readonly requests: number; readonly metrics: readonly ScoredMetric[] }[]
  readonly requests: number
  /** Rows that were wrong. */
  readonly leftOut: number
  /** Outcomes of arms that aren't scored. */
  readonly strangers: number
  readonly draws: number
  readonly seed: number
  readonly cost: CostField
}

/**
 * Scores an outcome table in one pass (and a look at its first rows for the arms). Memory: sums by arm, metric and draw, and 16 bytes a
 * request and 8 for each ranking of it where `strong` and `weak` are told. Throws `InvalidRequest` for metrics or arms that aren't
 * there and for more than 1,000 arms, `invalid_configuration` for a file that can't be read or holds no row that is right, and the
 * signal's reason when it is aborted.
 */
export async function scoreTable(file: string, options: TableScoring): Promise<TableScores> {
  const wanted = metricsOf(options.metrics)
  const arms = await armsOf(file, options)
  const priceOf = await pricesOf(file)
  const cardOptions = (chosen: ReadonlySet<string>): ScorecardOptions => ({
    arms,
    armMetrics: armMetrics.filter(({ id }) => chosen.has(id)),
    setMetrics: setMetrics.filter(({ id }) => chosen.has(id)),
    draws: options.draws,
    seed: options.seed,
    reference: options.reference,
    strong: options.strong,
    weak: options.weak,
    k: options.k,
    budgets: options.budgets,
    cost: options.cost,
    priceOf,
  })
  const whole = new Scorecard(cardOptions(wanted))
  const perCategory = options.metrics === undefined ? new Set(ofCategories) : wanted
  const categories = new Map<string, Scorecard>()
  const ranked = new RankedGap([...(options.scores ? ['--scores'] : []), 'prompt length', 'oracle'])
  let leftOut = 0
  let unscored = 0
  for await (const row of readOutcomeTable(file, options.onBytes, (fault) => ((leftOut += 1), options.onFault?.(fault)))) {
    options.signal.throwIfAborted()
    whole.add(row)
    if (options.byCategory === true) {
      const name = row.category ?? '(none)'
      const own = categories.has(name) || categories.size < mostCategories ? name : '(others)'
      const card = categories.get(own) ?? new Scorecard(cardOptions(perCategory))
      categories.set(own, card)
      card.add(row)
    }
    if (!rankRow(row, ranked, options)) unscored += 1
  }
  if (whole.count === 0) throw new BursarError(`${file} has no row that could be scored.`, { code: 'invalid_configuration', status: 500 })
  return {
    arms,
    metrics: [...whole.results(), ...rankResults(ranked, unscored, wanted, options)],
    categories: [...categories].map(([name, card]) => ({ name, requests: card.count, metrics: card.results() })),
    requests: whole.count,
    leftOut,
    strangers: whole.strangers,
    draws: options.draws,
    seed: options.seed,
    cost: options.cost,
  }
}

function metricsOf(named: readonly string[] | undefined): ReadonlySet<string> {
  const known = scoreMetrics.map(({ id }) => id)
  for (const id of named ?? [])
    if (!known.includes(id)) throw new InvalidRequest(`There is no metric "${id}". There are ${known.join(', ')}.`, { path: 'metric' })
  return new Set(named ?? known)
}

async function armsOf(file: string, { arms, reference, strong, weak }: TableScoring): Promise<readonly string[]> {
  const found = new Set<string>()
  let rows = 0
  for await (const row of readOutcomeTable(file, undefined, () => undefined)) {
    for (const arm of Object.keys(row.outcomes)) found.add(arm)
    if ((rows += 1) === rowsLookedAt) break
  }
  for (const [path, arm] of [
    ...(arms ?? []).map((one) => ['arms', one] as const),
    ['reference', reference] as const,
    ['strong', strong] as const,
    ['weak', weak] as const,
  ])
    if (arm !== undefined && !found.has(arm))
      throw new InvalidRequest(`--${path}: "${arm}" is none of the table's arms (${[...found].sort().join(', ')}).`, { path })
  // What the others are held against is scored with them, whether or not it was named twice.
  const chosen = arms && new Set([...arms, ...[reference, strong, weak].filter((arm) => arm !== undefined)])
  const all = [...(chosen ?? [...found].sort())]
  if (all.length <= mostArms) return all
  throw new InvalidRequest(`${all.length} arms are more than can be scored at once (${mostArms}). --arms names those that count.`, {
    path: 'arms',
  })
}

/** False for a request that the router's scores leave out. */
function rankRow(row: OutcomeRow, ranked: RankedGap, { strong, weak, scores }: TableScoring): boolean {
  if (strong === undefined || weak === undefined) return true
  const quality = (arm: string) => {
    const { quality: whole, samples = [] } = row.outcomes[arm] ?? {}
    const known = samples.flatMap((sample) => sample.quality ?? [])
    return (
      whole ?? (known.length === 0 || known.length < samples.length ? undefined : known.reduce((sum, one) => sum + one, 0) / known.length)
    )
  }
  const [best, least] = [quality(strong), quality(weak)]
  if (best === undefined || least === undefined) return true
  const told = scores?.get(row.id)
  if (scores && told === undefined) return false
  const gain = best - least
  ranked.add(gain, { '--scores': told ?? 0, 'prompt length': JSON.stringify(row.request.messages).length, oracle: gain }, row.weight)
  return true
}

function rankResults(
  ranked: RankedGap,
  unscored: number,
  wanted: ReadonlySet<string>,
  { strong, weak, draws, seed }: TableScoring,
): ScoredMetric[] {
  const keys = (['apgr', 'cpt50', 'cpt80'] as const).filter((key) => wanted.has(rankMetrics[key].id))
  if (keys.length === 0) return []
  if (strong === undefined || weak === undefined)
    return keys.map((key) => ({
      metric: rankMetrics[key],
      scores: {},
      missing: 'Say which arms are the ends of the gap: --strong ARM --weak ARM.',
    }))
  const results = ranked.results(Math.min(draws, mostRankDraws), seed)
  return keys.map((key) => {
    const scores = results[key]
    const missing =
      ranked.count === 0
        ? 'No request has quality of both arms' + (unscored > 0 ? ' and a score.' : '.')
        : Object.keys(scores).length === 0
          ? `"${strong}" is no better than "${weak}" on this table.`
          : unscored > 0
            ? `${unscored} requests have no score: not counted.`
            : undefined
    return { metric: rankMetrics[key], scores, missing }
  })
}
