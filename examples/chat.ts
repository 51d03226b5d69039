// The OpenAI SDK: an answer in one piece, then a stream; what each took.
//   npm start                      in one terminal
//   npx tsx examples/chat.ts       in another
import OpenAI from 'openai'
import { key, model, url } from './connection.js'

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key })

const { data, response } = await client.chat.completions
  .create({ model, messages: [{ role: 'user', content: 'What is 19 * 21?' }] })
  .withResponse()
console.log(data.choices[0]?.message.content)
console.log(
  `${response.headers.get('x-bursar-model')} took ${data.usage?.total_tokens} tokens and $${response.headers.get('x-bursar-cost')}`,
)

const stream = await client.chat.completions.create({
  model,
  messages: [{ role: 'user', content: 'Tell me about rivers.' }],
  stream: true,
  stream_options: { include_usage: true },
})
for await (const chunk of stream) {
  process.stdout.write(chunk.choices[0]?.delta.content ?? '')
  // The last chunk has the usage, and in it the cost, which the SDK's types don't know.
  if (chunk.usage) console.log(`\n${JSON.stringify(chunk.usage)}`)
}
