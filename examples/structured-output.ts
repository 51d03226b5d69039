// JSON by a schema, checked on arrival.
//   npx tsx examples/structured-output.ts
import OpenAI from 'openai'
import { zodResponseFormat } from 'openai/helpers/zod'
import { z } from 'zod'
import { key, model, url } from './connection.js'

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key })
const River = z.object({ name: z.string(), kilometres: z.number(), countries: z.array(z.string()).max(5) })

const answer = await client.chat.completions.parse({
  model,
  messages: [{ role: 'user', content: 'Describe the Elbe.' }],
  response_format: zodResponseFormat(River, 'river'),
})
// The sandbox makes values that fit the schema; a real model makes true ones.
console.log(answer.choices[0]?.message.parsed)
