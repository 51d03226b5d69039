// Embeddings: which text is most like the first?
//   npx tsx examples/embeddings.ts
import OpenAI from 'openai'
import { key, url } from './connection.js'

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key })
const texts = ['a river in spring', 'rivers carry water in the spring', 'the price of copper wire']

const { data, usage } = await client.embeddings.create({ model: process.env['BURSAR_EMBEDDING_MODEL'] ?? 'sandbox/embed', input: texts })
const [first = [], ...others] = data.map(({ embedding }) => embedding)
for (const [index, other] of others.entries()) {
  const similarity = first.reduce((sum, value, at) => sum + value * (other[at] ?? 0), 0)
  console.log(`${similarity.toFixed(3)}  ${texts[index + 1]}`)
}
console.log(`${usage.total_tokens} tokens`)
