import type { TrialEvidence } from '../../ledger/index.js'
import { normalQuantile } from '../../statistics/index.js'
import type { QualityEvidence } from './quality-evidence.js'

/** Answers of which about the same quality was expected. */
export interface CalibrationBin {
  readonly expected: number
  /** With a normal interval for one look. */
  readonly observed: { readonly value: number; readonly low: number; readonly high: number }
  readonly answers: number
}

interface Sums {
  answers: number
  weights: number
  expected: number
  observed: number
  squares: number
  weightSquares: number
}

const binCount = 10
/** Of fewer answers nothing is told. */
const leastAnswers = 10

/**
 * Expected quality against observed, in ten bins of expectation; the observed one is a judge's where there is one (weighted by one over
 * the probability that it was asked), else a verifier's, else the caller's.
 */
export class Calibration {
  private readonly sums = Array.from({ length: binCount }, (): Sums => ({
    answers: 0,
    weights: 0,
    expected: 0,
    observed: 0,
    squares: 0,
    weightSquares: 0,
  }))

  add({ trial, expected }: TrialEvidence, { judge, check, feedback }: QualityEvidence): void {
    const hoped = (trial.heldOut ? expected.reference : expected.policy)?.quality ?? undefined
    const observed = judge?.score ?? check ?? feedback
    if (hoped === undefined || observed === undefined) return
    const bin = this.sums[Math.max(0, Math.min(binCount - 1, Math.floor(hoped * binCount)))]
    if (bin === undefined) return
    const weight = judge === undefined ? 1 : 1 / judge.sought
    bin.answers += 1
    bin.weights += weight
    bin.expected += weight * hoped
    bin.observed += weight * observed
    bin.squares += weight * observed * observed
    bin.weightSquares += weight * weight
  }

  bins(level: number): CalibrationBin[] {
    const z = normalQuantile((1 + level) / 2)
    return this.sums.flatMap(({ answers, weights, expected, observed, squares, weightSquares }) => {
      if (answers < leastAnswers) return []
      const mean = observed / weights
      const reach = z * Math.sqrt((Math.max(0, squares / weights - mean * mean) * weightSquares) / (weights * weights))
      return [
        {
          expected: expected / weights,
          observed: { value: mean, low: Math.max(0, mean - reach), high: Math.min(1, mean + reach) },
          answers,
        },
      ]
    })
  }
}
