export * from './contract.js'
export * from './chain.js'
