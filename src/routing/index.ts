export * from './contracts.js'
export * from './as-named.js'
