export { aegis, latinHypercube, randomSearch, thompson, type AegisOptions, type Optimiser } from './aegis.js'
export { GaussianProcess, type GpParameters, type Point } from './gaussian-process.js'
