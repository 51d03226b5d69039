// OpenAI's Responses API, with reasoning shown; any provider may stand behind it.
//   npx tsx examples/responses.ts
import OpenAI from 'openai'
import { key, model, url } from './connection.js'

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key })

const stream = client.responses.stream({ model, input: 'What is 34 * 19?', reasoning: { effort: 'low', summary: 'auto' } })
stream.on('response.reasoning_summary_text.delta', ({ delta }) => process.stdout.write(delta))
stream.on('response.output_text.delta', ({ delta }) => process.stdout.write(delta))
const { usage } = await stream.finalResponse()
console.log(`\n${usage?.output_tokens} output tokens, ${usage?.output_tokens_details.reasoning_tokens} of them reasoning`)
