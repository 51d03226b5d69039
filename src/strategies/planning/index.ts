export {
  allocate,
  e3,
  hardCap,
  leastUncertain,
  levelBudgets,
  schedules,
  scheduleWeights,
  TOKENS_PER_WORD,
  tokensOfWords,
  type Schedule,
} from './allocation.js'
export { planVariants, type Plan, type PlanStep, type PlanVariant } from './plan.js'
export { planAndBudget, type PlanAndBudgetOptions } from './plan-and-budget.js'
export { selective, type SelectiveOptions } from './selective.js'
