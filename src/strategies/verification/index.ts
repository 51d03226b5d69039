export * from './checks.js'
export { holdsSchema, type CheckResult } from './schema.js'
export { BoundedChecks, type BoundedCheck, type BoundedCheckSettings, type PatternCheck, type SchemaCheck } from './bounded-checks.js'
export * from './scorer.js'
