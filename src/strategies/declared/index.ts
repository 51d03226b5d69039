export { buildStrategy, describeSpec, modelsOf, mostCalls, parseStrategy } from './build.js'
export {
  strategyKind,
  type BuildContext,
  type BuildScope,
  type GuideUse,
  type LibraryUse,
  type KindDefinition,
  type StrategyKind,
  type StrategySpec,
} from './kind.js'
export { strategyKinds, strategyRegistry } from './registry.js'
export { canonical, specHash, specLimits, type StrategyRegistry } from './spec.js'
export { eitherPlan } from './either-plan.js'
