// Why a request was answered as it was, and what every call for it took.
//   npx tsx examples/why.ts
import { key, model, url } from './connection.js'

const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
const answer = await fetch(`${url}/v1/chat/completions`, {
  method: 'POST',
  headers,
  body: JSON.stringify({ model, messages: [{ role: 'user', content: 'What is the capital of Peru?' }] }),
})
await answer.arrayBuffer()

const decision = await fetch(`${url}/v1/decisions/${answer.headers.get('x-bursar-decision')}`, { headers })
console.log(JSON.stringify(await decision.json(), null, 2))
