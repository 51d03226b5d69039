/**
 * A scripted upstream: a loopback server that plays OpenAI (chat, responses, embeddings), Anthropic and Gemini, and does
 * to each request exactly what a test told it to.
 *
 * @example
 * const upstream = await startUpstream()
 * upstream.enqueue(openaiError(429, 'slow down', 'rate_limit_exceeded', { 'retry-after': '0' }))
 * upstream.enqueue({ ...chatStream({ text: ['a', 'b'] }), chunking: 'bytes', destroyAfter: 40 })
 */
export * from './answer.js'
export * from './anthropic.js'
export * from './behaviour.js'
export * from './defaults.js'
export * from './embeddings.js'
export * from './gemini.js'
export * from './knobs.js'
export * from './openai-chat.js'
export * from './openai-responses.js'
export * from './upstream.js'
