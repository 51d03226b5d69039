export * from './allocation.js'
export { planVariants, type Plan, type PlanStep, type PlanVariant } from './plan.js'
export { planAndBudget, type PlanAndBudgetOptions } from './plan-and-budget.js'
