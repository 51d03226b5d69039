import { e3 } from '../efficiency.js'
import type { Metric } from '../metric.js'

/** E³ (037): A²/T, accuracy times accuracy a generated token. */
export const eCubed: Metric = {
  id: 'e3',
  title: 'E³',
  unit: '1/token',
  formula: 'E³ = A · A / T, with A mean quality and T mean generated tokens',
  source: '037, Plan-and-Budget',
  better: 'higher',
  needs: ['quality', 'generatedTokens'],
  width: 2,
  terms: ({ quality = NaN, generatedTokens = NaN }) => [quality, generatedTokens],
  of: ([accuracy = NaN, tokens = NaN]) => e3({ accuracy, tokens }),
}
