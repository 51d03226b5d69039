import type { Metric } from '../metric.js'
import { costOfPass } from './cost-of-pass.js'
import { differentialScore } from './differential-performance.js'
import { eCubed } from './e-cubed.js'
import { efficiencyAtK } from './eff-at-k.js'
import { efficiencyQuality } from './efficiency-quality-area.js'
import { intelligenceJoule } from './intelligence-per-joule.js'
import { intelligenceWatt } from './intelligence-per-watt.js'
import { coverage } from './local-coverage.js'
import { meanJoules } from './mean-joules.js'
import { meanQuality } from './mean-quality.js'
import { meanSeconds } from './mean-seconds.js'
import { meanTokens } from './mean-tokens.js'
import { meanUsd } from './mean-usd.js'
import { outcomeEfficiencyMetric } from './outcome-efficiency.js'
import { outputSpeed } from './output-speed.js'
import { passAtK } from './pass-at-k.js'
import { processEfficiencyMetric } from './process-efficiency.js'
import { qualityDifference } from './quality-difference.js'
import { threeESeconds } from './relative-seconds.js'
import { threeETokens } from './relative-tokens.js'
import { requestEfficiency } from './request-efficiency.js'
import { tokenElasticityMetric } from './token-elasticity.js'
import { toolProductivityMetric } from './tool-productivity.js'

/** Metrics of one arm over the requests of an outcome table, in the order in which a scorecard tells them. */
export const armMetrics: readonly Metric[] = [
  meanQuality,
  meanUsd,
  costOfPass,
  meanTokens,
  eCubed,
  efficiencyQuality,
  differentialScore,
  efficiencyAtK,
  passAtK,
  outcomeEfficiencyMetric,
  processEfficiencyMetric,
  meanSeconds,
  requestEfficiency,
  outputSpeed,
  meanJoules,
  intelligenceJoule,
  intelligenceWatt,
  toolProductivityMetric,
  qualityDifference,
  coverage,
  tokenElasticityMetric,
  threeETokens,
  threeESeconds,
]
