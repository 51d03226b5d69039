import {
  csvLine,
  latencyQuantile,
  type CostOfPass,
  type Dimension,
  type Forecast,
  type FoundAnomalies,
  type MoneyEstimate,
  type Report,
  type ReportTotals,
  type RunProfile,
  type Runaway,
  type Spread,
} from '../../../ledger/index.js'
import { formatUsd, totalInputTokens, totalOutputTokens } from '../../../quantities/index.js'
import { iso } from './query.js'

/** JSON of the usage endpoints. Dollars are exact decimals as text; what isn't known is `null`. */

export function totalsJson(totals: ReportTotals) {
  const { calls, errors, lost, unpriced, usage, cost, cacheSavings, firstTokenSeconds, firstTokens } = totals
  const { webSearches, ...buckets } = usage
  return {
    usd: formatUsd(cost.usd ?? (0n as typeof cacheSavings)),
    calls,
    errors,
    lost,
    unpriced,
    input_tokens: totalInputTokens(usage),
    output_tokens: totalOutputTokens(usage),
    tokens: Object.fromEntries(Object.entries(buckets).map(([name, count]) => [snake(name.replace('Tokens', '')), count])),
    web_searches: webSearches,
    cache_savings_usd: formatUsd(cacheSavings),
    seconds: rounded(cost.seconds),
    joules: cost.joules === null ? null : rounded(cost.joules),
    grams_co2e: cost.gramsCO2e === null ? null : rounded(cost.gramsCO2e),
    latency_seconds: {
      mean: calls === 0 ? null : rounded(cost.seconds / calls),
      p50: quantileJson(totals, 0.5),
      p95: quantileJson(totals, 0.95),
      p99: quantileJson(totals, 0.99),
    },
    first_token_seconds: firstTokens === 0 ? null : rounded(firstTokenSeconds / firstTokens),
  }
}

const notes = {
  latency: 'Percentiles of latency are interpolated in a histogram whose buckets double: off by at most a factor of two.',
  unpriced: 'Dollars of unpriced calls are in no sum.',
  lost: 'Lost calls count with what was reserved for them until they are reconciled.',
}

export function reportJson(report: Report, period: Period, by: readonly Dimension[]) {
  return {
    object: 'usage',
    ...periodJson(period),
    by,
    data: report.rows.map(({ group, totals }) => ({ group, ...totalsJson(totals) })),
    others: { groups: report.others.groups, ...totalsJson(report.others.totals) },
    total: totalsJson(report.total),
    notes: [notes.latency, ...(report.total.unpriced > 0 ? [notes.unpriced] : []), ...(report.total.lost > 0 ? [notes.lost] : [])],
  }
}

/** A line a group; sums of the whole are left to the reader. */
export function reportCsv({ rows }: Report, by: readonly Dimension[]): string {
  const columns = [
    'usd',
    'calls',
    'errors',
    'lost',
    'unpriced',
    'input_tokens',
    'output_tokens',
    'cache_read_tokens',
    'reasoning_tokens',
    'cache_savings_usd',
    'seconds',
    'joules',
    'grams_co2e',
    'latency_p50',
    'latency_p95',
    'latency_p99',
    'first_token_seconds',
  ]
  const lines = rows.map(({ group, totals }) => {
    const json = totalsJson(totals)
    const values = [
      json.usd,
      json.calls,
      json.errors,
      json.lost,
      json.unpriced,
      json.input_tokens,
      json.output_tokens,
      totals.usage.cacheReadTokens,
      totals.usage.reasoningTokens,
      json.cache_savings_usd,
      json.seconds,
      json.joules,
      json.grams_co2e,
      json.latency_seconds.p50,
      json.latency_seconds.p95,
      json.latency_seconds.p99,
      json.first_token_seconds,
    ]
    return csvLine([
      ...by.map((dimension) => textCell(group[dimension] ?? '')),
      ...values.map((value) => (value === null ? '' : String(value))),
    ])
  })
  return csvLine([...by, ...columns]) + lines.join('')
}

export function forecastJson({ spent, total, historyDays, weekdays, notes: words }: Forecast) {
  return {
    spent_usd: formatUsd(spent),
    total_usd: total === undefined ? null : estimateJson(total),
    history_days: historyDays,
    weekdays,
    notes: words,
  }
}

function estimateJson({ value, low, high, level }: MoneyEstimate) {
  return { value: formatUsd(value), low: formatUsd(low), high: formatUsd(high), level }
}

export function anomaliesJson({ anomalies, groups, days, tooYoung }: FoundAnomalies, period: Period, by: readonly Dimension[]) {
  return {
    object: 'usage.anomalies',
    ...periodJson(period),
    by,
    data: anomalies.map(({ who, at, usd, usual, chance, days: compared, words }) => ({
      group: who,
      day: iso(at).slice(0, 10),
      usd: formatUsd(usd),
      usual_usd: { low: formatUsd(usual.low), high: formatUsd(usual.high) },
      chance: Number(chance.toPrecision(3)),
      compared_with_days: compared,
      words,
    })),
    judged: { groups, days, too_young: tooYoung },
  }
}

export function runJson(profile: RunProfile, runaway: Runaway | undefined) {
  const {
    key,
    run,
    from,
    to,
    calls,
    failed,
    usd,
    unpriced,
    models,
    inputTokens,
    outputTokens,
    inputPerOutput,
    steps,
    growthPerStep,
    parts,
    repeatedShare,
    multiplicity,
    cache,
    modelSeconds,
    otherSeconds,
  } = profile
  return {
    key,
    run,
    ...periodJson({ from, to }),
    calls,
    failed,
    usd: formatUsd(usd),
    unpriced,
    models,
    input_tokens: inputTokens,
    output_tokens: outputTokens,
    input_per_output: orNull(inputPerOutput),
    steps,
    growth_per_step: orNull(growthPerStep),
    input_from: parts && {
      system: parts.system,
      tool_schemas: parts.toolSchemas,
      observations: parts.observations,
      assistant: parts.assistant,
      user: parts.user,
    },
    repeated_share: orNull(repeatedShare),
    multiplicity: orNull(multiplicity),
    cache: cache && {
      cacheable_share: rounded(cache.cacheableShare),
      read_share: rounded(cache.readShare),
      missed_tokens: cache.missedTokens,
      missed_usd_at_most: cache.missedUsd === null ? null : formatUsd(cache.missedUsd),
    },
    model_seconds: rounded(modelSeconds),
    other_seconds: rounded(otherSeconds),
    runaway: runaway?.words ?? null,
  }
}

export function spreadJson(spread: Spread | null) {
  return (
    spread && {
      least: rounded(spread.least),
      p50: rounded(spread.p50),
      p95: rounded(spread.p95),
      most: rounded(spread.most),
      ratio: orNull(spread.ratio),
    }
  )
}

export function costOfPassJson({ rows, forgotten }: CostOfPass, period: Period, by: readonly Dimension[]) {
  return {
    object: 'usage.cost_of_pass',
    ...periodJson(period),
    by,
    data: rows.map(({ group, attempts, passed, usd, unpriced, estimate: { value, low, high, n, method } }) => ({
      group,
      attempts,
      passed,
      usd: formatUsd(usd),
      unpriced,
      // JSON has no infinity: without a success the value and the upper end are null.
      usd_per_success: { value: dollars(value), low: dollars(low), high: dollars(high), n, method },
    })),
    forgotten,
    notes: ['Attempts without an outcome are not counted: where only some are judged, this speaks of those.'],
  }
}

export interface Period {
  readonly from: number
  readonly to: number
}

export function periodJson({ from, to }: Period) {
  return { from: iso(from), to: iso(to) }
}

function dollars(value: number): string | null {
  return Number.isFinite(value) ? value.toFixed(12).replace(/\.?0+$/, '') : null
}

function quantileJson(totals: ReportTotals, share: number): number | null {
  const value = latencyQuantile(totals, share)
  return value === null ? null : rounded(value)
}

function orNull(value: number | null): number | null {
  return value === null ? null : rounded(value)
}

/** Six digits that count: sums of doubles have no more to say. */
function rounded(value: number): number {
  return Number.isInteger(value) ? value : Number(value.toPrecision(6))
}

/** Names come from callers, and spreadsheets run what begins like a formula. */
function textCell(text: string): string {
  return /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
}

function snake(name: string): string {
  return name.replace(/(?<=[a-z])\d/g, '_$&').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
