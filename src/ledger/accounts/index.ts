export * from './contract.js'
export * from './chain.js'
export * from './feed.js'
export { plainRule, type PlainRule } from './settings.js'
