import { noUsage, picoUsd, type Money, type Usage } from '../../quantities/index.js'
import { latencyBucket } from '../report/aggregate.js'
import type { ReportTotals } from '../report/contract.js'
import type { CallRecord, CorrectionRecord } from '../record.js'
import { moneyInRange, realInRange, wholeInRange } from './ranges.js'
import {
  latencyColumns,
  realColumns,
  sumColumns,
  usageColumnNames,
  usageColumns,
  wholeColumns,
  type SumColumn,
  type UsageColumn,
} from './sum-columns.js'

const MICRO = 1_000_000n

/** Places of the columns in `Sums.whole`. */
const at = Object.fromEntries(wholeColumns.map((name, index) => [name, index])) as Readonly<Record<(typeof wholeColumns)[number], number>>
export const outputColumns = [
  'output_tokens',
  'reasoning_tokens',
  'output_audio_tokens',
  'output_image_tokens',
] as const satisfies readonly UsageColumn[]
export const inputColumns = usageColumnNames.filter(
  (name) => name !== 'web_searches' && !(outputColumns as readonly UsageColumn[]).includes(name),
)
const firstUsage = at.input_tokens
const firstLatency = at.latency_0

/** Running sums of calls, as rows of sums have them. Money is kept whole until it is written. */
export class Sums {
  readonly whole: number[] = new Array<number>(wholeColumns.length).fill(0)
  usd = 0n
  savings = 0n
  /** In the order of `realColumns`. */
  readonly real: number[] = [0, 0, 0, 0]

  /** Adds other sums, or takes them away. */
  add(other: Sums, sign: 1 | -1 = 1): void {
    const { whole, real } = this
    for (let index = 0; index < whole.length; index++) whole[index] = (whole[index] ?? 0) + sign * (other.whole[index] ?? 0)
    for (let index = 0; index < real.length; index++) real[index] = (real[index] ?? 0) + sign * (other.real[index] ?? 0)
    this.usd += sign === 1 ? other.usd : -other.usd
    this.savings += sign === 1 ? other.savings : -other.savings
  }

  /** Calls, unpriced calls, money (microdollars and the rest), input and output tokens: what sums of outcomes have. */
  outline(): [calls: number, unpriced: number, micro: bigint, rest: bigint, input: number, output: number] {
    const tokens = (names: readonly UsageColumn[]) => names.reduce((sum, name) => sum + (this.whole[at[name]] ?? 0), 0)
    return [
      this.whole[at.calls] ?? 0,
      this.whole[at.unpriced] ?? 0,
      this.usd / MICRO,
      this.usd % MICRO,
      tokens(inputColumns),
      tokens(outputColumns),
    ]
  }

  /** Values for `sumColumns`; zeros are `null`, which take less room. */
  values(): (number | bigint | null)[] {
    const { whole } = this
    const micro = this.usd / MICRO
    const saved = this.savings / MICRO
    whole[at.usd_rest] = Number(this.usd % MICRO)
    whole[at.savings_rest] = Number(this.savings % MICRO)
    const values: (number | bigint | null)[] = whole.map((value) => (value === 0 ? null : value))
    values[at.usd_micro] = micro === 0n ? null : micro
    values[at.savings_micro] = saved === 0n ? null : saved
    for (const value of this.real) values.push(value === 0 ? null : value)
    return values
  }
}

/** What one call adds to sums. */
export function sumsOfCall({
  end,
  usage,
  cost,
  cacheSavings,
  firstTokenSeconds,
}: Pick<CallRecord, 'end' | 'usage' | 'cost' | 'cacheSavings' | 'firstTokenSeconds'>): Sums {
  const sums = amounts(usage, cost)
  sums.whole[at.calls] = 1
  if (end !== 'complete') sums.whole[at.errors] = 1
  if (end === 'lost') sums.whole[at.lost] = 1
  if (cost.usd === null) sums.whole[at.unpriced] = 1
  sums.savings = moneyInRange(cacheSavings ?? 0n)
  sums.whole[firstLatency + latencyBucket(cost.seconds)] = 1
  if (firstTokenSeconds !== undefined) {
    sums.whole[at.first_tokens] = 1
    sums.real[3] = realInRange(firstTokenSeconds)
  }
  return sums
}

/** What a correction adds: amounts, but no call. */
export function sumsOfCorrection({ usage, cost }: Pick<CorrectionRecord, 'usage' | 'cost'>): Sums {
  return amounts(usage, cost)
}

function amounts(usage: Usage, cost: CallRecord['cost']): Sums {
  const sums = new Sums()
  usageColumnNames.forEach((name, index) => (sums.whole[firstUsage + index] = wholeInRange(usage[usageColumns[name]])))
  sums.usd = moneyInRange(cost.usd ?? 0n)
  if (cost.joules === null) sums.whole[at.joules_unknown] = 1
  if (cost.gramsCO2e === null) sums.whole[at.grams_unknown] = 1
  sums.real[0] = realInRange(cost.seconds)
  sums.real[1] = realInRange(cost.joules ?? 0)
  sums.real[2] = realInRange(cost.gramsCO2e ?? 0)
  return sums
}

/** A row of sums as a query answers it: numbers, big integers or (sums of 64 bits in PostgreSQL) their decimal digits. */
export type SumRow = { readonly [Column in SumColumn]?: number | bigint | string | null }

/** A row of sums as totals of a report. */
export function totalsOfRow(row: SumRow): ReportTotals {
  const whole = (name: SumColumn) => Number(row[name] ?? 0)
  const usage: { -readonly [bucket in keyof Usage]: number } = { ...noUsage }
  for (const name of usageColumnNames) usage[usageColumns[name]] = whole(name)
  return {
    calls: whole('calls'),
    errors: whole('errors'),
    lost: whole('lost'),
    unpriced: whole('unpriced'),
    usage,
    cost: {
      usd: moneyOf(row.usd_micro, row.usd_rest),
      seconds: whole('seconds'),
      joules: whole('joules_unknown') === 0 ? whole('joules') : null,
      gramsCO2e: whole('grams_unknown') === 0 ? whole('grams') : null,
    },
    cacheSavings: moneyOf(row.savings_micro, row.savings_rest),
    latency: latencyColumns.map(whole),
    firstTokenSeconds: whole('first_token_seconds'),
    firstTokens: whole('first_tokens'),
  }
}

/** Money from whole microdollars and what is left. */
export function moneyOf(micro: number | bigint | string | null | undefined, rest: number | bigint | string | null | undefined): Money {
  return picoUsd(BigInt(micro ?? 0) * MICRO + BigInt(rest ?? 0))
}

/** The difference of two rows of sums: what of the first isn't in the second. */
export function minusRow(row: SumRow, other: SumRow): SumRow {
  const difference: { [Column in SumColumn]?: number | bigint } = {}
  for (const name of wholeColumns) difference[name] = BigInt(row[name] ?? 0) - BigInt(other[name] ?? 0)
  for (const name of realColumns) {
    const left = Number(row[name] ?? 0) - Number(other[name] ?? 0)
    // What is left of sums of floats that should be equal.
    difference[name] = Math.abs(left) < 1e-9 * Math.abs(Number(row[name] ?? 0)) ? 0 : left
  }
  return difference
}

/** The sum of rows of sums. O(rows). */
export function sumOfRows(rows: readonly SumRow[]): SumRow {
  const sum: { [Column in SumColumn]?: number | bigint } = {}
  for (const name of wholeColumns) {
    let whole = 0n
    for (const row of rows) {
      const value = row[name]
      if (value !== null && value !== undefined) whole += BigInt(value)
    }
    if (whole !== 0n) sum[name] = whole
  }
  for (const name of realColumns) {
    let real = 0
    for (const row of rows) real += Number(row[name] ?? 0)
    if (real !== 0) sum[name] = real
  }
  return sum
}

/** Two columns are one amount of money: a difference of sums may have a microdollar in one and less by as much in the other, which is nothing. */
const moneyParts: ReadonlySet<SumColumn> = new Set<SumColumn>(['usd_micro', 'usd_rest', 'savings_micro', 'savings_rest'])

/** False when all sums are zero. */
export function isSomething(row: SumRow): boolean {
  if (moneyOf(row.usd_micro, row.usd_rest) !== 0n || moneyOf(row.savings_micro, row.savings_rest) !== 0n) return true
  return sumColumns.some((name) => !moneyParts.has(name) && Number(row[name] ?? 0) !== 0)
}
