export {
  createOutputLengths,
  loadOutputLengths,
  type LengthEstimate,
  type LengthFeatures,
  type OutputLengths,
  type OutputLengthsOptions,
} from './output-lengths.js'
export {
  createEffortCurves,
  loadEffortCurves,
  type EffortCurves,
  type EffortCurvesOptions,
  type EffortOutcome,
  type EffortRow,
} from './effort-curves.js'
export {
  createEffortController,
  loadEffortController,
  type EffortController,
  type EffortObservation,
  type EffortTarget,
  type ResolvedEffort,
} from './effort-controller.js'
export { underEffort, withEffort, type EffortSettings } from './with-effort.js'
