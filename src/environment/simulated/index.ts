export { memoryBudget, type BudgetLimits, type MemoryBudget, type Reservation } from './memory-budget.js'
export type { Spent } from './playback.js'
export { virtualClock, type VirtualClock } from './virtual-clock.js'
