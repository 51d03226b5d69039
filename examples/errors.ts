// What a client sees when things go wrong. The sandbox fails on demand, so each line of this can be tried.
//   npx tsx examples/errors.ts
import OpenAI from 'openai'
import { key, url } from './connection.js'

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 })
const ask = (model: string, content: string) => client.chat.completions.create({ model, messages: [{ role: 'user', content }] })

async function tryOut(what: string, call: () => Promise<unknown>): Promise<void> {
  try {
    await call()
    console.log(`${what}: answered`)
  } catch (thrown) {
    if (!(thrown instanceof OpenAI.APIError)) throw thrown
    console.log(
      `${what}: ${thrown.constructor.name}, HTTP ${thrown.status ?? 'already 200'}, code ${thrown.code}, field ${thrown.param ?? 'none'}`,
    )
  }
}

await tryOut('a misspelt model', () => ask('sandbox/smal', 'Hello?'))
await tryOut('a bad field', () =>
  client.chat.completions.create({ model: 'sandbox/small', messages: [{ role: 'user', content: 'x' }], temperature: -1 }),
)
await tryOut('a rate limit that lasts', () => ask('sandbox/small', 'Hello? [[sandbox status=429 retry_after=60]]'))
// Failures that pass are tried again by Bursar; the caller sees none of it.
await tryOut('two failures, then an answer', () => ask('sandbox/medium', `Hello? [[sandbox fail_first=2 key=${Date.now()}]]`))
await tryOut('a stream that breaks in the middle', async () => {
  const stream = await client.chat.completions.create({
    model: 'sandbox/large',
    messages: [{ role: 'user', content: 'Tell me a story. [[sandbox tokens=40 die_after=10]]' }],
    stream: true,
  })
  for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? '')
  console.log('never printed: a broken stream has no clean end')
})
