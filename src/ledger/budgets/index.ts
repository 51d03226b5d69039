export * from './contract.js'
export { createCallBudget, type CallBudgetParts } from './call-budget.js'
export { defaultBudgetSettings, SharedBudgets, type BudgetSettings, type SharedBudgetParts } from './shared.js'
export { counterEnd } from './periods.js'
