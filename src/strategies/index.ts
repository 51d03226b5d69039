export * from './strategy.js'
