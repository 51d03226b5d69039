import { tokenElasticity } from '../efficiency.js'
import type { Metric } from '../metric.js'

/** Token elasticity of performance against the reference (086), over requests that both answered. */
export const tokenElasticityMetric: Metric = {
  id: 'tep',
  title: 'Token elasticity',
  unit: '',
  formula: 'TEP = (ΔPerf / Perf_base) / (ΔTokens / Tokens_base), base: --reference; tokens read and generated',
  source: '086, EllieSQL',
  better: 'higher',
  needs: ['quality', 'inputTokens', 'generatedTokens'],
  asks: 'reference',
  width: 4,
  terms({ quality = NaN, inputTokens = NaN, generatedTokens = NaN }, arm, row, settings) {
    const other = row.outcomes.get(settings.reference ?? '')
    if (
      arm === settings.reference ||
      other?.quality === undefined ||
      other.inputTokens === undefined ||
      other.generatedTokens === undefined
    )
      return null
    return [quality, inputTokens + generatedTokens, other.quality, other.inputTokens + other.generatedTokens]
  },
  of: ([accuracy = NaN, tokens = NaN, baseAccuracy = NaN, baseTokens = NaN]) =>
    tokenElasticity({ accuracy, tokens }, { accuracy: baseAccuracy, tokens: baseTokens }),
}
