export type { Check, Grade, GradingContext, Method, Suite, TestItem } from './contract.js'
export { readSuite, type ReadSuiteOptions } from './read-suite.js'
export { modelName } from './model-names.js'
