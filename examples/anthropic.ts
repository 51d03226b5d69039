// The Anthropic SDK: count first, then stream. Its base URL has no /v1.
//   npx tsx examples/anthropic.ts
import Anthropic from '@anthropic-ai/sdk'
import { key, model, url } from './connection.js'

const client = new Anthropic({ baseURL: url, apiKey: key })
const messages: Anthropic.MessageParam[] = [{ role: 'user', content: 'What is the capital of Japan?' }]

const { input_tokens } = await client.messages.countTokens({ model, messages })
console.log(`about ${input_tokens} tokens in`)

const stream = client.messages.stream({ model, max_tokens: 200, messages })
stream.on('text', (piece) => process.stdout.write(piece))
const { usage, stop_reason } = await stream.finalMessage()
console.log(`\n${stop_reason}: ${usage.input_tokens} in, ${usage.output_tokens} out`)
