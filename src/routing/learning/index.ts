export {
  learningGuard,
  type GuardedPredictor,
  type LearningAlongside,
  type LearningGuardOptions,
  type LearningReport,
} from './learning-guard.js'
export { learningBudget, type LearningBudget } from './learning-budget.js'
export { sampledJudge, type JudgePlan, type JudgePlanOptions } from './judge-plan.js'
export { importanceWeight } from './sound-observation.js'
export { pageHinkley, type PageHinkley } from './page-hinkley.js'
export { influenceLedger, type Influence, type InfluenceOptions } from './influence.js'
