export * from './contract.js'
export { createMemoryCounters, type MemoryCounters, type MemoryCountersSettings } from './memory-counters.js'
export { createPostgresCounters, type PostgresCounters, type PostgresCountersSettings } from './postgres-counters.js'
