export * from './record.js'
export * from './memory-ledger.js'
