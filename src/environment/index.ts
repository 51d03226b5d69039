export * from './environment.js'
export * from './provider.js'
export * from './upstream-failure.js'
