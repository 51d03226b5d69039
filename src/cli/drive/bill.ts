import type { Money } from '../../quantities/index.js'
import { addMoney, formatUsd, zeroMoney } from '../../quantities/index.js'

/** Many amounts of which some may be unknown. */
export interface MoneySum {
  readonly known: Money
  readonly unknown: number
}

/** What the calls of one model gave and took. */
export class ModelBill {
  calls = 0
  errors = 0
  /** Answers that arrived whole and are byte for byte a recorded one. */
  identical = 0
  answerMismatches = 0
  tokenMismatches = 0
  costMismatches = 0
  inputTokens = 0
  outputTokens = 0
  billed: MoneySum = { known: zeroMoney, unknown: 0 }
  expected: MoneySum = { known: zeroMoney, unknown: 0 }
  readonly firstTokenSeconds: number[] = []

  get wrong(): number {
    return this.errors + this.answerMismatches + this.tokenMismatches + this.costMismatches
  }

  add(other: ModelBill): void {
    this.calls += other.calls
    this.errors += other.errors
    this.identical += other.identical
    this.answerMismatches += other.answerMismatches
    this.tokenMismatches += other.tokenMismatches
    this.costMismatches += other.costMismatches
    this.inputTokens += other.inputTokens
    this.outputTokens += other.outputTokens
    this.billed = { known: addMoney(this.billed.known, other.billed.known), unknown: this.billed.unknown + other.billed.unknown }
    this.expected = { known: addMoney(this.expected.known, other.expected.known), unknown: this.expected.unknown + other.expected.unknown }
    for (const seconds of other.firstTokenSeconds) this.firstTokenSeconds.push(seconds)
  }

  toJSON() {
    return {
      calls: this.calls,
      errors: this.errors,
      identical: this.identical,
      answerMismatches: this.answerMismatches,
      tokenMismatches: this.tokenMismatches,
      costMismatches: this.costMismatches,
      inputTokens: this.inputTokens,
      outputTokens: this.outputTokens,
      billedUsd: formatUsd(this.billed.known),
      billedUnknown: this.billed.unknown,
      expectedUsd: formatUsd(this.expected.known),
      expectedUnknown: this.expected.unknown,
      firstTokenSeconds: { p50: percentile(this.firstTokenSeconds, 0.5), p99: percentile(this.firstTokenSeconds, 0.99) },
    }
  }
}

/** Adds an amount, or counts it as unknown. */
export function addTo(sum: MoneySum, amount: Money | null): MoneySum {
  return amount === null ? { known: sum.known, unknown: sum.unknown + 1 } : { known: addMoney(sum.known, amount), unknown: sum.unknown }
}

/** The smallest value that at least the given share does not exceed (nearest rank); `undefined` of nothing. */
export function percentile(values: readonly number[], share: number): number | undefined {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
}
