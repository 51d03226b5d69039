export * from './accept.js'
export { cascade, type CascadeRung, type CascadeSettings } from './cascade.js'
