export * from './scorecard/efficiency.js'
export * from './scorecard/samples.js'
export * from './scorecard/front.js'
export * from './scorecard/runtime.js'
