export * from './answer-observer.js'
export * from './answer-verifiers.js'
