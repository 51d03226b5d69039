export * from './conversation.js'
export * from './reply.js'
export * from './codec.js'
export * from './sse.js'
