export type { LossCurve, LossPoint } from './fine-tuning/loss-curve.js'
export { fitRectifiedLaw, lossAt, predictLoss, type RectifiedFit, type RectifiedLaw } from './fine-tuning/rectified-law.js'
export { fitVanillaLaw, vanillaLossAt, type VanillaFit } from './fine-tuning/vanilla-law.js'
export { acceptThenStop, lineLossAt, type AcceptedLine, type AcceptThenStopOptions } from './fine-tuning/accept-then-stop.js'
export { forecastLosses, type ModelForecast, type PooledOptions } from './fine-tuning/pooled-forecast.js'
export { pearson, ranks, relativeAccuracy, spearman } from './fine-tuning/selection.js'
export { conformalReach, pinballLoss, weightedQuantile, type Weighted } from './fitting/quantiles.js'
export {
  contextGrowth,
  totalsOf,
  type PastRun,
  type RunStep,
  type RunTask,
  type RunTotals,
  type TokenPrices,
} from './agent-run/past-run.js'
export {
  createRunForecaster,
  forecastRun,
  type RunQuantiles,
  type RunForecast,
  type RunForecaster,
  type RunForecastOptions,
} from './agent-run/forecast.js'
export { accuracyAt, fitShotLaw, predictAccuracy, type ShotFit, type ShotLaw, type ShotPoint } from './adaptation/shot-law.js'
export {
  assumedTransfer,
  fineTunedAccuracy,
  proxyGain,
  transferOf,
  type Probe,
  type ProxyGain,
  type ProxyOptions,
  type TaskExample,
} from './adaptation/proxy-head.js'
export { chooseAdaptation, shotRequestUsd, trainingUsd, type AdaptationChoice, type AdaptationOption } from './adaptation/choice.js'
export {
  frontRecovery,
  learnConfigurations,
  recommendConfiguration,
  type ConfigurationFeatures,
  type ConfigurationForecast,
  type ConfigurationPredictor,
  type MeasuredConfiguration,
  type Preference,
  type Recommendation,
} from './configuration/forecast.js'
export {
  defaultGains,
  labelCurve,
  planAnnotation,
  type AnnotationPlan,
  type AnnotationShare,
  type LabelCurve,
  type LabelKind,
} from './data-budget/annotation.js'
export { nextLabels, type Candidate, type LabelQueueOptions, type LabelRequest, type QueryToLabel } from './data-budget/label-queue.js'
export {
  defaultYields,
  effectiveSeeds,
  planSynthetic,
  syntheticStrategies,
  type SyntheticOption,
  type SyntheticPlan,
  type SyntheticPoint,
  type SyntheticStrategy,
  type Yield,
} from './data-budget/synthetic.js'
export {
  readCallsDone,
  readCandidates,
  readConfigurations,
  readExamples,
  readLabelKinds,
  readLossCurves,
  readPastRuns,
  readShots,
  readSyntheticPoints,
} from './measured/readings.js'
