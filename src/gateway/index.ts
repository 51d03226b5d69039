export { Gateway, type GatewayOptions } from './gateway.js'
export { hashKey } from './keys.js'
export * from './config/index.js'
export { inspectConfig } from './inspect.js'
