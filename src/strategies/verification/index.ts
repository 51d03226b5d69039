export * from './checks.js'
export { holdsSchema, type CheckResult } from './schema.js'
export * from './scorer.js'
