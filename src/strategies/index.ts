export * from './strategy.js'
export * from './single.js'
export * from './fallback.js'
export * from './declared/index.js'
