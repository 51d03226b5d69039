export * from './environment.js'
export * from './provider.js'
